//! The real client: against a server that does what each test says, and, for private chats, against a real one.

mod errands;
mod foreign;
mod hostile;
mod links;
mod piped;
mod private;
mod relogin;
mod screen;
mod scripted;
mod served;
mod settings;
mod terminal;
mod tls;
mod trying;
mod typing;
