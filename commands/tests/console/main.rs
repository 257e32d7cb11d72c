//! The server's console, as its owner meets it: `chinwagd ctl` in a shell, and what is typed at the terminal that the
//! server was started from; and the relay, which takes more than a scenario can say. Each test runs the real program.

mod ctl;
mod relay;
mod running;
mod second_day;
mod terminal;
