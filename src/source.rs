//! The only way in for configuration: sources of objects, and the [`Snapshot`] of them.
//!
//! A source is a task that sends an [`Input`] each time its objects have changed. A directory of manifests is one; a cluster is
//! another. Nothing behind this module knows which.

pub mod cluster;
mod compact;
pub mod directory;
mod identity;
mod kind;
mod lines;
mod object;
pub mod origin;
mod problem;
mod recognise;
mod schema;
pub mod snapshot;
mod span;
mod validate;
mod yaml;

use std::sync::Arc;

use tokio::sync::watch;

pub use crate::model::Key;
pub use compact::PackedIngress;
pub(crate) use identity::Identity;
pub use kind::for_each_kind;
pub(crate) use lines::showable_lines;
pub use origin::{Location, Origins};
pub use snapshot::{References, Snapshot};

use crate::report::Report;

/// All that a source sees: sent again on every change.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// Every object, or its last good version.
    pub snapshot: Arc<Snapshot>,
    /// Reports on objects and files that could not be read.
    pub reports: Vec<Report>,
    /// Where each object was written, for messages that point there. Empty for a cluster.
    pub origins: Arc<Origins>,
}

/// The receiving end of a source. Holds `None` until the first complete list.
pub type Inputs = watch::Receiver<Option<Input>>;
