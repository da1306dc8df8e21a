//! The backend of a stream: a pool and a settings element together.

use std::sync::Arc;

use crate::api::application_gateway::{BackendAddressPool, StreamBackendSettings};
use crate::model::{HostHeader, Pool, PoolId, Probe, Stream, TlsMode, Transport, UpstreamTls, WeightedPools};
use crate::report::Reason;

use super::super::backend::Backends;
use super::super::element::Element;
use super::super::pool::{self, PoolMembers};
use super::super::probe;
use super::super::stream_settings::StreamSettings;
use crate::translate::balance;
use crate::translate::draft::Draft;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;

impl<'a> Backends<'a> {
    /// What a pool and settings make of the connections of a listener. Their pool is put into the draft.
    pub(super) fn stream(
        &self,
        pool: &Element<'a, BackendAddressPool>,
        settings: &Element<'a, StreamBackendSettings>,
        tls: Option<TlsMode>,
        lookup: &Lookup<'_>,
        draft: &mut Draft,
    ) -> Result<Stream, Reason> {
        // Settings of HTTP may have the same name, and what is passed through is never wrapped in TLS.
        let kind = if tls == Some(TlsMode::Passthrough) { "passthrough" } else { "stream" };
        let [pool_name, settings_name] = [&pool.value.name, &settings.value.name].map(|name| name.replace('/', "%2F"));
        let id = PoolId(format!("{pool_name}/{settings_name}/{kind} ({})", self.owner).into());
        let read = &self.stream_settings[&settings.field];
        if !draft.pools.contains_key(&id) {
            let made = self.stream_pool(pool, settings, read, tls, lookup, draft)?;
            draft.pools.insert(id.clone(), made);
        }
        draft.parts.pools.entry(pool.value.name.clone()).or_default().insert(id.clone());
        Ok(Stream { pools: WeightedPools::One { pool: id }, tls, sessions: Arc::clone(&read.sessions) })
    }

    fn stream_pool(
        &self,
        pool: &Element<'a, BackendAddressPool>,
        element: &Element<'a, StreamBackendSettings>,
        settings: &StreamSettings<'a>,
        tls: Option<TlsMode>,
        lookup: &Lookup<'_>,
        draft: &mut Draft,
    ) -> Result<Pool, Reason> {
        let reports = &mut draft.reports;
        let port = settings.port.ok_or(Reason::InvalidValue)?;
        let sent = settings.server_name.clone().map_or(HostHeader::Member, HostHeader::Set);
        let mut min_up = 0;
        let probe = match settings.probe {
            Some(reference) => {
                let field = format!("{}.probe", element.field);
                let found = self.elements.probes.find(self.owner, reference, &field, reports)?;
                min_up = probe::min_servers(self.owner, &found, reports);
                Some(probe::read(self.owner, &found, &sent, reports))
            }
            None => None,
        };
        // TLS that is passed through is the client's: it verifies the backend, and the gateway can't.
        let is_tls = settings.is_tls && tls != Some(TlsMode::Passthrough);
        let transport = if is_tls {
            let trusted_roots = self.roots(&element.field, settings.roots, lookup, reports)?;
            Transport::Https(UpstreamTls { server_name: settings.server_name.clone(), trusted_roots })
        } else {
            self.report_unverified(&element.field, settings, reports);
            Transport::Http
        };
        let targets = &self.targets[&pool.field];
        let PoolMembers { endpoints, probe: declared, keeps_clients } =
            pool::members(self.owner, pool, targets, port, lookup, reports)?;
        // The readiness of pods is the kubelet's to find out: some servers take a connection without a word for an attack.
        let is_service = pool.value.service_ref.is_some() && pool.value.backend_addresses.is_empty();
        let default = (!is_service).then(|| Probe::connection(is_tls));
        let probe = probe.or(declared).or(default);
        let balance = balance(None, keeps_clients, self.owner, &element.field, reports);
        Ok(Pool { endpoints: endpoints.into(), transport, probe, balance, min_up, is_component: false })
    }

    /// Reports what settings say of certificates that the gateway never sees.
    fn report_unverified(&self, field: &str, settings: &StreamSettings<'a>, reports: &mut Reports) {
        let message = match settings.is_tls {
            true => "it has no effect where TLS is passed through: the client verifies the backend",
            false => "it has no effect with protocol Tcp: there is no certificate to verify",
        };
        let written =
            [("hostName", settings.server_name.is_some()), ("trustedRootCertificates", !settings.roots.is_empty())];
        for (name, _) in written.into_iter().filter(|(_, written)| *written) {
            reports.warning(self.owner, format!("{field}.{name}"), Reason::InvalidValue, message, "remove it");
        }
    }
}
