//! The real client against a server that does what each test says.

mod piped;
mod scripted;
mod tls;
