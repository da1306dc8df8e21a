//! Checks that several kinds share: an API server would refuse an object that fails one, and a directory has no API server.
//!
//! Rules of a schema are not checked here. Fields that only one kind has are checked in the file of the kind, and relations
//! between objects in `translate`.

pub(super) mod data;
pub(super) mod metadata;
pub(super) mod name;
pub(super) mod port;
