//! Making what fails small, while it fails in the same way.

pub mod ddmin;
pub mod file;
pub mod likeness;
pub mod tree;
