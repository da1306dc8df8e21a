//! The snapshot, with what translation has to find in it quickly: EndpointSlices by Service and by pod, and certificates
//! that have been read.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use crate::model::{Certificate, CertificateId, Endpoint, Endpoints, ForwardOptions, Pool};
use crate::source::{Key, Snapshot};

use super::change::Changes;
use super::report::Fault;
use super::tls::CertificateCache;

/// The slices of each Service, and those that mention each pod; kept up to date.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_service: BTreeMap<Key, BTreeSet<String>>,
    by_pod: BTreeMap<Key, BTreeSet<String>>,
}

impl Index {
    /// Takes in what has changed. Gives the slices that say something else now, be it for their pods, and the Services that
    /// lead elsewhere.
    pub(super) fn update(
        &mut self,
        old: &Snapshot,
        new: &Snapshot,
        changes: &Changes,
    ) -> (BTreeSet<Key>, BTreeSet<Key>) {
        for key in &changes.slices {
            if let Some(slice) = old.endpoint_slices.get(key) {
                take_out(&mut self.by_service, service_of(key, slice), key.name());
                pods_of(key, slice).for_each(|pod| take_out(&mut self.by_pod, Some(pod), key.name()));
            }
            if let Some(slice) = new.endpoint_slices.get(key) {
                put_in(&mut self.by_service, service_of(key, slice), key.name());
                pods_of(key, slice).for_each(|pod| put_in(&mut self.by_pod, Some(pod), key.name()));
            }
        }
        let mut slices = changes.slices.clone();
        for pod in &changes.pods {
            let names = self.by_pod.get(pod).into_iter().flatten();
            slices.extend(names.map(|name| Key::new(pod.namespace(), name)));
        }
        let mut services = changes.services.clone();
        for snapshot in [old, new] {
            let known = slices.iter().filter_map(|key| Some((key, snapshot.endpoint_slices.get(key)?)));
            services.extend(known.filter_map(|(key, slice)| service_of(key, slice)));
        }
        (slices, services)
    }
}

/// The Service that a slice is of.
fn service_of(key: &Key, slice: &EndpointSlice) -> Option<Key> {
    let service = slice.metadata.labels.as_ref()?.get("kubernetes.io/service-name")?;
    Some(Key::new(key.namespace(), service.as_str()))
}

/// The pods that a slice mentions.
fn pods_of<'s>(key: &'s Key, slice: &'s EndpointSlice) -> impl Iterator<Item = Key> {
    let targets = slice.endpoints.iter().flatten().filter_map(|endpoint| endpoint.target_ref.as_ref());
    let pods = targets.filter(|target| target.kind.as_deref() == Some("Pod"));
    pods.filter_map(|pod| Some(Key::new(key.namespace(), pod.name.as_deref()?)))
}

fn put_in(map: &mut BTreeMap<Key, BTreeSet<String>>, key: Option<Key>, name: &str) {
    let Some(key) = key else { return };
    map.entry(key).or_default().insert(name.to_owned());
}

fn take_out(map: &mut BTreeMap<Key, BTreeSet<String>>, key: Option<Key>, name: &str) {
    let Some(key) = key else { return };
    let Some(names) = map.get_mut(&key) else { return };
    names.remove(name);
    if names.is_empty() {
        map.remove(&key);
    }
}

/// Objects by name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lookup<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) index: &'a Index,
    pub(super) certificates: &'a RefCell<CertificateCache>,
    pub(super) interner: &'a RefCell<Interner>,
}

/// Pools that are made together, and their endpoints: many lead to the same Service.
#[derive(Debug, Default)]
pub(super) struct Interner {
    endpoints: BTreeSet<Endpoints>,
    pools: BTreeSet<Arc<Pool>>,
    /// Those that were made last.
    options: VecDeque<Arc<ForwardOptions>>,
    /// How many pools and lists of endpoints there may be before it is looked which are in use.
    room: usize,
}

impl Interner {
    /// So many may be kept that nobody uses.
    const FEW: usize = 16;
    /// So many manners are looked at.
    const RECENT_OPTIONS: usize = 8;

    /// Forgets those that nobody uses, where there may be many.
    pub(super) fn remove_unused(&mut self) {
        if self.endpoints.len() + self.pools.len() > self.room {
            self.pools.retain(|pool| Arc::strong_count(pool) > 1);
            self.endpoints.retain(Endpoints::is_shared);
            self.room = (self.endpoints.len() + self.pools.len()) * 2 + Self::FEW;
        }
    }
}

impl<'a> Lookup<'a> {
    pub(super) fn service(&self, namespace: &str, name: &str) -> Option<&'a Service> {
        self.snapshot.services.get(&Key::new(namespace, name)).map(|object| &**object)
    }

    /// The slices of a Service, by name.
    pub(super) fn slices(&self, namespace: &str, service: &str) -> impl Iterator<Item = (&'a Key, &'a EndpointSlice)> {
        let slices = &self.snapshot.endpoint_slices;
        let names = self.index.by_service.get(&Key::new(namespace, service)).into_iter().flatten();
        let keys = names.map(move |name| Key::new(namespace, name.as_str()));
        keys.filter_map(move |key| slices.get_key_value(&key)).map(|(key, slice)| (key, &**slice))
    }

    pub(super) fn pod(&self, namespace: &str, name: &str) -> Option<&'a Pod> {
        self.snapshot.pods.get(&Key::new(namespace, name)).map(|object| &**object)
    }

    pub(super) fn secret(&self, namespace: &str, name: &str) -> Option<&'a Secret> {
        self.snapshot.secrets.get(&Key::new(namespace, name)).map(|object| &**object)
    }

    pub(super) fn config_map(&self, namespace: &str, name: &str) -> Option<&'a ConfigMap> {
        self.snapshot.config_maps.get(&Key::new(namespace, name)).map(|object| &**object)
    }

    /// The same endpoints, shared with other pools.
    pub(super) fn intern_endpoints(&self, endpoints: Vec<Endpoint>) -> Endpoints {
        let known = &mut self.interner.borrow_mut().endpoints;
        if let Some(same) = known.get(endpoints.as_slice()) {
            return same.clone();
        }
        let endpoints = Endpoints::from(endpoints);
        known.insert(endpoints.clone());
        endpoints
    }

    /// The same pool, shared with others to which it leads under another name.
    pub(super) fn intern_pool(&self, pool: Pool) -> Arc<Pool> {
        let known = &mut self.interner.borrow_mut().pools;
        if let Some(same) = known.get(&pool) {
            return Arc::clone(same);
        }
        let pool = Arc::new(pool);
        known.insert(Arc::clone(&pool));
        pool
    }

    /// How requests are handed on, shared with others that are so.
    pub(super) fn intern_options(&self, options: ForwardOptions) -> Arc<ForwardOptions> {
        let known = &mut self.interner.borrow_mut().options;
        if let Some(same) = known.iter().find(|known| ***known == options) {
            return Arc::clone(same);
        }
        let options = Arc::new(options);
        known.truncate(Interner::RECENT_OPTIONS - 1);
        known.push_front(Arc::clone(&options));
        options
    }

    /// The certificate that a Secret holds.
    pub(super) fn certificate(&self, namespace: &str, name: &str) -> Result<CertificateId, Fault> {
        self.certificates.borrow_mut().read(self.secret(namespace, name), namespace, name)
    }

    /// A certificate that can be used: read again, where nobody has shown it since it was.
    pub(super) fn usable(&self, id: &CertificateId) -> Option<Arc<Certificate>> {
        let (namespace, name) = id.0.split_once('/')?;
        let id = self.certificate(namespace, name).ok()?;
        self.certificates.borrow().get(&id)
    }
}
