//! Two ends and whoever may come between them, over loopback and over streams that these tests hold in their hands. Time
//! stands still unless a test moves it.

mod meeting;
mod pair;
mod talk;
