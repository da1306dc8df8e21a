//! Certificates that a command makes on the spot, to try something on this machine.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, KeyPair, SanType};

/// A self-signed certificate, good for a year, and its key; both PEM.
pub(super) struct SelfSigned {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl SelfSigned {
    /// A certificate for these names and for this machine's own.
    ///
    /// # Errors
    /// A name is none that a certificate may have.
    pub(super) fn new(names: &[String]) -> anyhow::Result<Self> {
        let localhost = ["localhost".to_owned()];
        let mut params = CertificateParams::new(localhost.iter().chain(names).cloned().collect::<Vec<_>>())?;
        params.subject_alt_names.push(SanType::IpAddress(Ipv4Addr::LOCALHOST.into()));
        params.subject_alt_names.push(SanType::IpAddress(Ipv6Addr::LOCALHOST.into()));
        params.not_before = rcgen::date_time_ymd(1970, 1, 1) + SystemTime::now().duration_since(UNIX_EPOCH)?;
        params.not_after = params.not_before + Duration::from_secs(365 * 24 * 3600);
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { certificate, key: key.serialize_pem() })
    }
}
