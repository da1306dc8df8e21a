//! The integration tests: one binary, a file a feature.

mod directory;
mod gateway;
mod golden;
mod hostile;
mod hostile_served;
mod hosts;
mod members;
mod pod;
mod pools;
mod reference;
mod rollout;
mod rooms;
mod status;
mod stop;
mod swap;
mod translator;
