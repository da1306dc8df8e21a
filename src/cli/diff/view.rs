//! A model as `/debug/config` shows it. In this form a running gateway's model and one that is made from files are compared.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::admin::Fingerprints;
use crate::model::{EndpointState, Model, RouteMatch};
use crate::source::Key;
use crate::translate::{Options, Tenancy};

/// What is served, or would be served.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ConfigView {
    pub(super) model: ModelView,
    /// Fingerprints of key material. `None`: the gateway does not show them.
    pub(super) fingerprints: Option<Fingerprints>,
    /// Members at run time, if the gateway is running.
    #[serde(default)]
    pub(super) pools: BTreeMap<String, Vec<MemberView>>,
    /// How objects are translated, if the gateway is running.
    options: Option<OptionsView>,
}

#[derive(Debug, Clone, Deserialize)]
struct OptionsView {
    controller: String,
    serve_controllers: Vec<String>,
    everything_without_class: bool,
    #[serde(default)]
    strict_tenancy: bool,
    #[serde(default)]
    default_certificate: Option<String>,
    external_names: Option<bool>,
    #[serde(default)]
    cluster_domain: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ModelView {
    pub(super) listeners: BTreeMap<u16, ListenerView>,
    pub(super) pools: BTreeMap<String, PoolView>,
    pub(super) certificates: BTreeMap<String, Value>,
    #[serde(default)]
    departing: BTreeMap<SocketAddr, DepartingView>,
}

#[derive(Debug, Clone, Deserialize)]
struct DepartingView(#[serde(with = "EndpointStateView")] EndpointState);

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct ListenerView {
    pub(super) protocol: String,
    /// Pairs in the order of the model, since two kinds of pattern may have one text.
    #[serde(deserialize_with = "pairs")]
    pub(super) hosts: Vec<(String, HostView)>,
    pub(super) default_certificate: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct HostView {
    pub(super) certificate: Option<String>,
    #[serde(default)]
    pub(super) tls: Option<Value>,
    pub(super) routes: Vec<RouteView>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct RouteView {
    field: String,
    owner: OwnerView,
    #[serde(flatten)]
    pub(super) matches: RouteMatch,
    action: Value,
    #[serde(default)]
    policies: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct OwnerView {
    kind: String,
    namespace: String,
    name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct PoolView {
    pub(super) endpoints: Vec<EndpointView>,
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct EndpointView {
    pub(super) address: String,
    #[serde(with = "EndpointStateView")]
    pub(super) state: EndpointState,
    pub(super) target: Option<String>,
}

#[derive(Deserialize)]
#[serde(remote = "EndpointState")]
enum EndpointStateView {
    Ready,
    Terminating { grace: Duration },
    Ending { grace: Duration },
    NotReady,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct MemberView {
    pub(super) address: SocketAddr,
    pub(super) name: Option<String>,
    endpoint: String,
}

impl MemberView {
    /// The state of the endpoint. Its grace period is not shown, and does not matter here.
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

impl RouteView {
    /// The identity, as [`crate::model::RouteId`] displays it.
    pub(super) fn id(&self, host: &str) -> String {
        let Self { owner: OwnerView { kind, namespace, name }, matches, field: _, action: _, policies: _ } = self;
        format!("{kind} {namespace}/{name} {host} {matches}")
    }

    /// What is done with its requests: the action, with the policies among its fields.
    pub(super) fn behaviour(&self) -> Value {
        let Some(policies) = &self.policies else { return self.action.clone() };
        let mut action = match &self.action {
            Value::String(variant) => json!({ variant: {} }),
            action => action.clone(),
        };
        let contents = action.as_object_mut().into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut);
        contents.for_each(|fields| drop(fields.insert("policies".to_owned(), policies.clone())));
        action
    }
}

impl ConfigView {
    /// The view of a model.
    pub(super) fn of(model: &Model) -> anyhow::Result<Self> {
        #[derive(Serialize)]
        struct Dump<'a> {
            model: &'a Model,
            fingerprints: Fingerprints,
        }
        Self::read(&serde_json::to_vec(&Dump { model, fingerprints: Fingerprints::of(model) })?)
    }

    /// Parses the answer of `/debug/config`.
    pub(super) fn read(json: &[u8]) -> anyhow::Result<Self> {
        serde_json::from_slice(json).context("this is no /debug/config: is that the admin port of this version?")
    }

    /// Endpoints that are terminating and in no pool.
    pub(super) fn departing(&self) -> BTreeMap<SocketAddr, EndpointState> {
        self.model.departing.iter().map(|(address, state)| (*address, state.0)).collect()
    }

    /// How objects are translated, if the view has it.
    pub(super) fn options(&self) -> Option<Options> {
        // A gateway of an earlier version does not tell all of them.
        let default = Options::default();
        self.options.as_ref().map(|options| Options {
            controller: options.controller.clone(),
            serve_controllers: options.serve_controllers.clone(),
            everything_without_class: options.everything_without_class,
            tenancy: if options.strict_tenancy { Tenancy::Strict } else { Tenancy::Shared },
            default_certificate: options.default_certificate.as_deref().and_then(|secret| {
                let (namespace, name) = secret.split_once('/')?;
                Some(Key::new(namespace, name))
            }),
            external_names: options.external_names.unwrap_or(default.external_names),
            cluster_domain: options.cluster_domain.clone().unwrap_or(default.cluster_domain),
            addresses: default.addresses,
        })
    }

    /// Whether a gateway that serves this publishes a table for `new`, and so closes sessions that the table does not cover.
    /// `controller::Controller` decides it in the same way. `None`: it can't be known.
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

/// The entries of a JSON object in their order, also those whose keys occur twice.
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
