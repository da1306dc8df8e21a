//! Counts of what an update of the translator did.

/// How much an update read and built again. Tests hold it to what has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Work {
    /// Ingresses that were read, since they had changed.
    pub ingresses: usize,
    /// Ingresses that had not changed, but whose backends were resolved again, since a Service of theirs had.
    pub backends: usize,
    /// Hosts of Ingresses that were built.
    pub hosts: usize,
    /// ApplicationGateways that were built.
    pub application_gateways: usize,
}
