//! `sslPolicy`: the cipher suites that are left of a policy, since those that are not offered here are reported, and left out.

use std::collections::BTreeSet;

use crate::api::application_gateway::{MANDATORY_SUITES, PredefinedPolicy, SslPolicy, SslPolicyType, SslProtocol};
use crate::model::{CipherSuite, ObjectRef, TlsVersion};
use crate::report::Reason;
use crate::translate::report::Reports;

/// What is asked of connections can't be set up, which has been reported. What it guards is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotSetUp;

/// What a policy asks for.
struct Asked<'a> {
    versions: BTreeSet<SslProtocol>,
    /// Most preferred first.
    suites: Vec<&'a str>,
}

/// The cipher suites of a policy that are offered, most preferred first. What is not offered is reported at `field`.
pub(super) fn read(
    owner: &ObjectRef,
    field: &str,
    policy: &SslPolicy,
    reports: &mut Reports,
) -> Result<Vec<CipherSuite>, NotSetUp> {
    let asked = asked(policy).map_err(|name| {
        let message = format!("there is no predefined policy {name:?}, so its listeners answer 503");
        let remedy = format!("write one of {}", PredefinedPolicy::names());
        reports.error(owner, format!("{field}.policyName"), Reason::AccessControl, message, remedy);
        NotSetUp
    })?;
    let offered = |name: &&str| CipherSuite::named(name).filter(|suite| asked.versions.contains(&protocol(*suite)));
    let suites: Vec<CipherSuite> = asked.suites.iter().filter_map(offered).collect();
    let old = asked.versions.iter().filter(|version| **version < SslProtocol::Tls12).map(|version| name(*version));
    let unknown = asked.suites.iter().filter(|name| CipherSuite::named(name).is_none()).copied();
    let left_out: Vec<&str> = old.chain(unknown).collect();
    if suites.is_empty() {
        let message = "no version of TLS and no cipher suite is left of the policy that is offered here, so its listeners answer 503";
        let remedy = "allow TLS 1.2 or 1.3 (minProtocolVersion) with a cipher suite of docs/tls.md";
        reports.error(owner, field, Reason::AccessControl, message, remedy);
        return Err(NotSetUp);
    }
    if !left_out.is_empty() {
        let message = format!("clients are not offered all of it; left out: {}", left_out.join(", "));
        let remedy = "see whether a client needs what is left out; the policy AppGwSslPolicy20220101S is offered whole";
        reports.warning(owner, field, Reason::Unsupported, message, remedy);
    }
    Ok(suites)
}

/// What a policy asks for. `Err`: the name of a predefined policy that there is not.
fn asked(policy: &SslPolicy) -> Result<Asked<'_>, &str> {
    let SslPolicy { policy_type, policy_name, min_protocol_version, cipher_suites, disabled_ssl_protocols } = policy;
    let default = if policy_name.is_some() { SslPolicyType::Predefined } else { SslPolicyType::CustomV2 };
    let listed = || cipher_suites.iter().map(String::as_str);
    let (oldest, newest, suites) = match policy_type.unwrap_or(default) {
        SslPolicyType::Predefined => {
            let name = policy_name.as_deref().unwrap_or_default();
            let policy = PredefinedPolicy::named(name).ok_or(name)?;
            (policy.oldest, policy.newest, policy.suites().collect())
        }
        custom => {
            let newest = if custom == SslPolicyType::CustomV2 { SslProtocol::Tls13 } else { SslProtocol::Tls12 };
            let mandatory = MANDATORY_SUITES.into_iter().filter(|name| !listed().any(|listed| listed == *name));
            let suites = match listed().next() {
                None => CipherSuite::OFFERED.map(CipherSuite::name).to_vec(),
                Some(_) => mandatory.chain(listed()).collect(),
            };
            // Without a version of its own, a policy is of those that are offered here.
            (min_protocol_version.unwrap_or(SslProtocol::Tls12), newest, suites)
        }
    };
    let versions = [SslProtocol::Tls10, SslProtocol::Tls11, SslProtocol::Tls12, SslProtocol::Tls13];
    let is_asked =
        |version: &SslProtocol| (oldest..=newest).contains(version) && !disabled_ssl_protocols.contains(version);
    Ok(Asked { versions: versions.into_iter().filter(is_asked).collect(), suites })
}

fn protocol(suite: CipherSuite) -> SslProtocol {
    match suite.version() {
        TlsVersion::Tls12 => SslProtocol::Tls12,
        TlsVersion::Tls13 => SslProtocol::Tls13,
    }
}

fn name(version: SslProtocol) -> &'static str {
    match version {
        SslProtocol::Tls10 => "TLS 1.0",
        SslProtocol::Tls11 => "TLS 1.1",
        SslProtocol::Tls12 => "TLS 1.2",
        SslProtocol::Tls13 => "TLS 1.3",
    }
}
