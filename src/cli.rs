//! The commands: one file each. They print; what they print is worked out elsewhere.

pub mod check;
