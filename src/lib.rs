//! Steadygate: a Kubernetes ingress controller and application gateway whose configuration changes
//! never cut a WebSocket session. `docs/architecture.md` says how the rooms fit together.

pub mod api;
pub mod cli;
pub mod model;
pub mod source;
pub mod status;
