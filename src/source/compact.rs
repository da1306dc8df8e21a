//! Objects in few bytes: there may be very many, and each is read in full once a version at most.
//!
//! This module owns how objects are packed and unpacked. It must not change them: an object that is unpacked equals the one
//! that was packed, and an object that can't be packed is kept as it came. Why the module exists, and when it should be
//! removed: `docs/decisions/0008-objects-are-packed.md`.

mod ingress;
mod json;
mod span;

pub use ingress::PackedIngress;
pub(super) use span::PackedSpan;
