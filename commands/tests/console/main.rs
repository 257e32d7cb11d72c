//! The server's console, as its owner meets it: `chinwagd ctl` in a shell, and what is typed at the terminal that the
//! server was started from. Each test runs the real program.

mod ctl;
mod running;
mod second_day;
mod terminal;
