//! The real client against a server that does what each test says.

mod errands;
mod foreign;
mod hostile;
mod links;
mod piped;
mod relogin;
mod screen;
mod scripted;
mod settings;
mod terminal;
mod tls;
mod trying;
mod typing;
