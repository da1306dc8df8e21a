//! The gateway as a whole: one binary, a file a feature.

mod agic;
mod convert;
mod directory;
mod error_pages;
mod examples;
mod front;
mod gateway;
mod gateway_api;
mod grants;
mod hostile;
mod hostile_served;
mod hosts;
mod http1;
mod ingress_nginx;
mod limits;
mod members;
mod pages;
mod pod;
mod pools;
mod redirects;
mod reference;
mod rollout;
mod rooms;
mod stop;
mod swap;
mod upgrade;
