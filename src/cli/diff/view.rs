//! A model as `/debug/config` shows it: the form in which one that runs and one that is made of files are compared.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::admin::Fingerprints;
use crate::model::{EndpointState, Model};
use crate::translate::Options;

/// What is served, or would be.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct View {
    pub(super) model: Served,
    /// `None`: a gateway that does not tell them.
    pub(super) fingerprints: Option<Fingerprints>,
    /// Members at run time, of a gateway that runs.
    #[serde(default)]
    pub(super) pools: BTreeMap<String, Vec<Member>>,
    /// How it translates.
    options: Option<Translation>,
}

#[derive(Debug, Clone, Deserialize)]
struct Translation {
    controller: String,
    serve_controllers: Vec<String>,
    everything_without_class: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Served {
    pub(super) listeners: BTreeMap<u16, Listener>,
    pub(super) pools: BTreeMap<String, Pool>,
    pub(super) certificates: BTreeMap<String, Value>,
    #[serde(default)]
    departing: BTreeMap<SocketAddr, Departing>,
}

#[derive(Debug, Clone, Deserialize)]
struct Departing(#[serde(with = "State")] EndpointState);

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Listener {
    pub(super) protocol: String,
    /// In the order of the model: two kinds of pattern may look the same.
    #[serde(deserialize_with = "pairs")]
    pub(super) hosts: Vec<(String, Host)>,
    pub(super) default_certificate: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Host {
    pub(super) certificate: Option<String>,
    pub(super) routes: Vec<Route>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Route {
    field: String,
    owner: Owner,
    pub(super) path: String,
    pub(super) action: Value,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Owner {
    kind: String,
    namespace: String,
    name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Pool {
    pub(super) endpoints: Vec<Endpoint>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Endpoint {
    pub(super) address: String,
    #[serde(with = "State")]
    pub(super) state: EndpointState,
    pub(super) target: Option<String>,
}

#[derive(Deserialize)]
#[serde(remote = "EndpointState")]
enum State {
    Ready,
    Terminating { grace: Duration },
    Ending { grace: Duration },
    NotReady,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Member {
    pub(super) address: SocketAddr,
    pub(super) name: Option<String>,
    endpoint: String,
}

impl Member {
    /// What is said of it. How long it has is not told, and no matter here.
    pub(super) fn state(&self) -> EndpointState {
        let grace = Duration::ZERO;
        let all = [
            EndpointState::Ready,
            EndpointState::Terminating { grace },
            EndpointState::Ending { grace },
            EndpointState::NotReady,
        ];
        all.into_iter().find(|state| state.name() == self.endpoint).unwrap_or(EndpointState::NotReady)
    }
}

impl Route {
    /// The identity, as [`crate::model::RouteId`] displays it.
    pub(super) fn id(&self, host: &str) -> String {
        let Owner { kind, namespace, name } = &self.owner;
        format!("{kind} {namespace}/{name} {host} {}", self.path)
    }
}

impl View {
    /// That of a model.
    pub(super) fn of(model: &Model) -> anyhow::Result<Self> {
        #[derive(Serialize)]
        struct Dump<'a> {
            model: &'a Model,
            fingerprints: Fingerprints,
        }
        Self::read(&serde_json::to_vec(&Dump { model, fingerprints: Fingerprints::of(model) })?)
    }

    /// Reads what `/debug/config` answers.
    pub(super) fn read(json: &[u8]) -> anyhow::Result<Self> {
        serde_json::from_slice(json).context("this is no /debug/config: is that the admin port of this version?")
    }

    /// Endpoints of no pool that go away.
    pub(super) fn departing(&self) -> BTreeMap<SocketAddr, EndpointState> {
        self.model.departing.iter().map(|(address, state)| (*address, state.0)).collect()
    }

    /// How it translates, if it tells.
    pub(super) fn options(&self) -> Option<Options> {
        self.options.as_ref().map(|options| Options {
            controller: options.controller.clone(),
            serve_controllers: options.serve_controllers.clone(),
            everything_without_class: options.everything_without_class,
        })
    }

    /// Whether a controller that serves this publishes a table for `new`, and so looks at its sessions: as
    /// `controller::Controller` decides. `None`: can't tell.
    pub(super) fn publishes(&self, new: &Self) -> Option<bool> {
        let (old_model, new_model) = (&self.model, &new.model);
        if old_model.listeners != new_model.listeners
            || old_model.certificates != new_model.certificates
            || !old_model.pools.keys().eq(new_model.pools.keys())
        {
            return Some(true);
        }
        match (&self.fingerprints, &new.fingerprints) {
            (Some(old), Some(new)) => Some(old.certificates != new.certificates),
            _ if new_model.certificates.is_empty() => Some(false),
            _ => None,
        }
    }
}

/// The entries of an object, in their order, keys that occur twice too.
fn pairs<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<(String, T)>, D::Error> {
    struct Pairs<T>(PhantomData<T>);
    impl<'de, T: DeserializeOwned> Visitor<'de> for Pairs<T> {
        type Value = Vec<(String, T)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    deserializer.deserialize_map(Pairs(PhantomData))
}
