//! The `steadygate` command.

fn main() {}
