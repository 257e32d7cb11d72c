//! An out-of-tree server.
fn main() {}
