//! Steadygate: a Kubernetes ingress controller and application gateway whose configuration changes
//! never cut a WebSocket session. `docs/architecture.md` says how the rooms fit together.

pub mod admin;
pub mod api;
pub mod app;
pub mod cli;
mod controller;
mod convert;
pub mod jwks;
pub mod model;
pub mod pool;
pub mod proxy;
pub mod report;
pub mod source;
pub mod status;
pub mod table;
pub mod translate;
pub mod websocket;
