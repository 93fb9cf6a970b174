//! The `moorline` command.
fn main() {}
