//! The backend of a rule: a pool and a settings element together.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::application_gateway::{BackendAddressPool, BackendHttpSettings, Reference, TrustedRootCertificate};
use crate::model::{
    EncodedSlashes, Forward, ForwardOptions, HostHeader, ObjectRef, PathMatch, PathRewrite, Pool, PoolId, RewriteSet,
    SecretBytes, Transport, UpstreamTls,
};
use crate::report::Reason;

use super::element::{Element, Elements};
use super::pool::{self, PoolMembers, PoolTarget};
use super::probe;
use super::reference::{self, CaElement};
use super::settings::{self, BackendSettings};
use super::stream_settings::StreamSettings;
use crate::translate::draft::Draft;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;
use crate::translate::rewrite_rules::SetField;
use crate::translate::{affinity, balance, rewrite, rewrite_rules, tls};

/// The settings and pools of a gateway, read: what backends are made of.
#[derive(Debug)]
pub(super) struct Backends<'a> {
    pub(super) owner: &'a ObjectRef,
    pub(super) elements: &'a Elements<'a>,
    pub(super) settings: BTreeMap<String, BackendSettings<'a>>,
    pub(super) stream_settings: BTreeMap<String, StreamSettings<'a>>,
    pub(super) targets: BTreeMap<String, Vec<PoolTarget>>,
    /// The sets of rewrite rules, by their fields.
    pub(super) rewrites: BTreeMap<String, Arc<RewriteSet>>,
}

/// What a pool is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PoolUse {
    /// Routes lead to it.
    Route,
    /// It is one of the pools that take the requests of a route together.
    Component,
}

impl<'a> Backends<'a> {
    /// Reads every settings element, pool, probe and rewrite set, in use or not, so that each mistake is reported.
    pub(super) fn read(
        owner: &'a ObjectRef,
        elements: &'a Elements<'a>,
        lookup: &Lookup<'_>,
        reports: &mut Reports,
    ) -> Self {
        let settings = elements.settings.iter();
        let settings: BTreeMap<_, _> =
            settings.map(|element| (element.field.clone(), settings::read(owner, &element, reports))).collect();
        let stream_settings = elements.stream_settings.iter();
        let stream_settings = stream_settings
            .map(|element| (element.field.clone(), StreamSettings::read(owner, &element, reports)))
            .collect();
        let pools = elements.pools.iter();
        let targets = pools
            .map(|element| (element.field.clone(), pool::addresses(owner, &element, lookup.options, reports)))
            .collect();
        for element in elements.probes.iter() {
            probe::read(owner, &element, &HostHeader::Member, reports);
            probe::min_servers(owner, &element, reports);
        }
        let sets = elements.rewrites.iter();
        let rewrites = sets.map(|Element { field, value }| {
            let source = SetField { owner, field: &field, actions: "actionSet" };
            let set = rewrite_rules::read(source, value, lookup, reports);
            (field, Arc::new(set))
        });
        Self { owner, elements, settings, stream_settings, targets, rewrites: rewrites.collect() }
    }

    /// The pool that a pool and settings make together. It is put into the draft.
    pub(super) fn pool_id(
        &self,
        pool: &Element<'a, BackendAddressPool>,
        settings: &Element<'a, BackendHttpSettings>,
        pool_use: PoolUse,
        lookup: &Lookup<'_>,
        draft: &mut Draft,
    ) -> Result<PoolId, Reason> {
        // No schema may have seen the names, and two pairs must never be one pool.
        let [pool_name, settings_name] = [&pool.value.name, &settings.value.name].map(|name| name.replace('/', "%2F"));
        let id = PoolId(format!("{pool_name}/{settings_name} ({})", self.owner).into());
        let read = &self.settings[&settings.field];
        let is_component = pool_use == PoolUse::Component;
        if let Some(known) = draft.pools.get_mut(&id) {
            known.is_component &= is_component;
        } else {
            let made = self.pool(pool, settings, read, lookup, draft)?;
            draft.pools.insert(id.clone(), Pool { is_component, ..made });
        }
        draft.parts.pools.entry(pool.value.name.clone()).or_default().insert(id.clone());
        Ok(id)
    }

    /// Forwarding to a pool with the settings, for requests to `path`.
    pub(super) fn forward(
        &self,
        pool: PoolId,
        settings: &Element<'a, BackendHttpSettings>,
        path: &PathMatch,
        reports: &mut Reports,
    ) -> Forward {
        let read = &self.settings[&settings.field];
        let options = ForwardOptions {
            host: read.host.clone(),
            rewrite: read
                .path
                .map(|prepend| PathRewrite { strip: rewrite::literal(path), prepend: prepend.to_owned() }),
            encoded_slashes: EncodedSlashes::Keep,
            request_timeout: read.request_timeout,
            websocket: Arc::clone(&read.websocket),
            upgrade_protocols: read.upgrade_protocols.clone(),
            affinity: read.affinity.clone(),
        };
        let asked = format!("{}.cookieBasedAffinity", settings.field);
        affinity::check(self.owner, &asked, &options, reports);
        Forward::to(pool, Arc::new(options))
    }

    fn pool(
        &self,
        pool: &Element<'a, BackendAddressPool>,
        element: &Element<'a, BackendHttpSettings>,
        settings: &BackendSettings<'a>,
        lookup: &Lookup<'_>,
        draft: &mut Draft,
    ) -> Result<Pool, Reason> {
        let reports = &mut draft.reports;
        let port = settings.port.ok_or(Reason::InvalidValue)?;
        let mut min_up = 0;
        let probe = match settings.probe {
            Some(reference) => {
                let field = format!("{}.probe", element.field);
                let found = self.elements.probes.find(self.owner, reference, &field, reports)?;
                min_up = probe::min_servers(self.owner, &found, reports);
                Some(probe::read(self.owner, &found, &settings.host, reports))
            }
            None => None,
        };
        let transport = if settings.https {
            let server_name = match &settings.host {
                HostHeader::Set(name) => Some(name.clone()),
                HostHeader::Member | HostHeader::Preserve => None,
            };
            let trusted_roots = self.roots(&element.field, settings.roots, lookup, reports)?;
            Transport::Https(UpstreamTls { server_name, trusted_roots })
        } else {
            Transport::Http
        };
        let targets = &self.targets[&pool.field];
        let PoolMembers { endpoints, probe: declared, keeps_clients } =
            pool::members(self.owner, pool, targets, port, lookup, reports)?;
        let probe = probe.or(declared).unwrap_or_else(|| probe::default(settings.https, &settings.host));
        let field = format!("{}.loadDistributionAlgorithm", element.field);
        let balance = balance(settings.load_distribution, keeps_clients, self.owner, &field, reports);
        Ok(Pool { endpoints: endpoints.into(), transport, probe: Some(probe), balance, min_up, is_component: false })
    }

    /// The CA certificates of `references`, of the settings at `settings_field`, as one PEM text; `None`: the well-known CAs are trusted. If one can't be read,
    /// the backend can't be used: it must not prove itself by another CA.
    pub(super) fn roots(
        &self,
        settings_field: &str,
        references: &[Reference],
        lookup: &Lookup<'_>,
        reports: &mut Reports,
    ) -> Result<Option<SecretBytes>, Reason> {
        let mut pem = Vec::new();
        for (index, reference) in references.iter().enumerate() {
            let field = format!("{settings_field}.trustedRootCertificates[{index}]");
            let found = self.elements.roots.find(self.owner, reference, &field, reports)?;
            let TrustedRootCertificate { name: _, secret_ref, config_map_ref } = found.value;
            let element =
                CaElement { field: &found.field, secret: secret_ref.as_ref(), config_map: config_map_ref.as_ref() };
            let ca = reference::ca(lookup.snapshot, self.owner, element, reports)?;
            let roots = tls::trusted_roots(lookup, &ca.object).map_err(|fault| {
                let fault = fault.of_name();
                reports.fault(self.owner, &ca.field, &fault);
                fault.reason
            });
            pem.extend(roots?);
        }
        Ok(if pem.is_empty() { None } else { Some(SecretBytes::new(&pem)) })
    }
}
