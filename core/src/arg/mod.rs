//! The stock kinds of arguments, one file each. Your own is one more `impl Arg`.

mod choice;
mod command_name;
mod known_user;
mod member;
mod message_ref;
mod number;
mod online_user;
mod private_offer;
mod room;
mod seconds;
mod secret;
mod term;
mod text;
mod ticket;
mod user_or_address;
mod user_or_room;
mod word;

pub use choice::{Choice, Words};
pub use command_name::CommandName;
pub use known_user::KnownUser;
pub use member::Member;
pub use message_ref::MessageRef;
pub use number::Number;
pub use online_user::OnlineUser;
pub use private_offer::PrivateOffer;
pub use room::RoomName;
pub use seconds::Seconds;
pub use secret::Secret;
pub use term::Term;
pub use text::Text;
pub use ticket::Ticket;
pub use user_or_address::UserOrAddress;
pub use user_or_room::UserOrRoom;
pub use word::Word;
