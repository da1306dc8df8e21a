//! The integration tests: one binary, a file a feature.

mod directory;
mod gateway;
mod golden;
mod hostile;
mod hostile_served;
mod hosts;
mod pools;
mod reference;
mod rooms;
mod status;
mod swap;
