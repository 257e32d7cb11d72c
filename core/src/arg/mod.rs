//! The stock kinds of arguments, one file each. Your own is one more `impl Arg`.

mod choice;
mod command_name;
mod known_user;
mod number;
mod online_user;
mod seconds;
mod secret;
mod text;
mod word;

pub use choice::{Choice, Words};
pub use command_name::CommandName;
pub use known_user::KnownUser;
pub use number::Number;
pub use online_user::OnlineUser;
pub use seconds::Seconds;
pub use secret::Secret;
pub use text::Text;
pub use word::Word;
