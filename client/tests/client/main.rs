//! The real client against a server that does what each test says.

mod errands;
mod piped;
mod scripted;
mod settings;
mod tls;
mod trying;
