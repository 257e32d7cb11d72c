//! One test for each scenario.
fn main() {}
