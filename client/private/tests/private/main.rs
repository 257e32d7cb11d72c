//! Two ends and whoever may come between them, over loopback and over streams that these tests hold in their hands. Time
//! stands still unless a test moves it.

#![allow(clippy::unwrap_used, reason = "what fails in what tests share fails the test")]

mod files;
mod meeting;
mod pair;
mod talk;
