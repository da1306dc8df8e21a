//! The only way in for configuration: where the objects come from, and the [`Snapshot`] of them.
//!
//! A source is a task that sends an [`Input`] each time what it sees has changed. A directory of
//! manifests is one; a cluster is another. Nothing behind this module knows which.

pub mod cluster;
mod defaults;
pub mod directory;
mod kind;
mod lines;
mod object;
pub mod origin;
mod packed;
mod problem;
mod schema;
pub mod snapshot;
mod span;
mod validate;
mod yaml;

use std::sync::Arc;

use tokio::sync::watch;

pub use crate::model::Key;
pub(crate) use lines::showable;
pub use origin::{Location, Origins};
pub(crate) use packed::Identity;
pub use packed::PackedIngress;
pub use snapshot::{References, Snapshot};

use crate::report::Report;

/// What a source sees, whole: sent again on every change.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Every object, or its last good version.
    pub snapshot: Arc<Snapshot>,
    /// What could not be read, and why.
    pub reports: Vec<Report>,
    /// Where each object was written, for messages that point there. Empty for a cluster.
    pub origins: Arc<Origins>,
}

/// The receiving end of a source. Holds `None` until the first complete list.
pub type Inputs = watch::Receiver<Option<Input>>;
