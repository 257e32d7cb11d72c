//! The real client: against a server that does what each test says, and, for private chats, against a real one.

mod crashes;
mod errands;
mod foreign;
mod hostile;
mod links;
mod newcomers;
mod piped;
mod private;
mod quiet;
mod relogin;
mod screen;
mod scripted;
mod served;
mod settings;
mod terminal;
mod tls;
mod trying;
mod typing;
