//! Making what fails small, while it fails in the same way.

pub mod ddmin;
pub mod likeness;
