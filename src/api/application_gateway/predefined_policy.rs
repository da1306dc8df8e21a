//! ARM's predefined TLS policies: the versions and cipher suites of each name (Azure's reference, "Application Gateway TLS policy
//! overview", in the order of its table).

use super::SslProtocol;

/// A predefined policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PredefinedPolicy {
    /// Its name.
    pub name: &'static str,
    /// The oldest version of TLS.
    pub oldest: SslProtocol,
    /// The newest version of TLS.
    pub newest: SslProtocol,
    /// Its letter in the table of suites.
    letter: char,
}

const POLICIES: [PredefinedPolicy; 5] = [
    policy("AppGwSslPolicy20150501", SslProtocol::Tls10, SslProtocol::Tls12, 'a'),
    policy("AppGwSslPolicy20170401", SslProtocol::Tls11, SslProtocol::Tls12, 'b'),
    policy("AppGwSslPolicy20170401S", SslProtocol::Tls12, SslProtocol::Tls12, 'c'),
    policy("AppGwSslPolicy20220101", SslProtocol::Tls12, SslProtocol::Tls13, 'd'),
    policy("AppGwSslPolicy20220101S", SslProtocol::Tls12, SslProtocol::Tls13, 'e'),
];

/// The cipher suites, most preferred first, each with the letters of the policies that have it.
const SUITES: [(&str, &str); 30] = [
    ("TLS_AES_128_GCM_SHA256", "de"),
    ("TLS_AES_256_GCM_SHA384", "de"),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "abcde"),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "abcde"),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", "ad"),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ad"),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "abc"),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "abc"),
    ("TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", "a"),
    ("TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", "a"),
    ("TLS_DHE_RSA_WITH_AES_256_CBC_SHA", "a"),
    ("TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "a"),
    ("TLS_RSA_WITH_AES_256_GCM_SHA384", "abc"),
    ("TLS_RSA_WITH_AES_128_GCM_SHA256", "abc"),
    ("TLS_RSA_WITH_AES_256_CBC_SHA256", "abc"),
    ("TLS_RSA_WITH_AES_128_CBC_SHA256", "abc"),
    ("TLS_RSA_WITH_AES_256_CBC_SHA", "abc"),
    ("TLS_RSA_WITH_AES_128_CBC_SHA", "abc"),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "abcde"),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "abcde"),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384", "abcd"),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "abcd"),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "abc"),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "abc"),
    ("TLS_DHE_DSS_WITH_AES_256_CBC_SHA256", "a"),
    ("TLS_DHE_DSS_WITH_AES_128_CBC_SHA256", "a"),
    ("TLS_DHE_DSS_WITH_AES_256_CBC_SHA", "a"),
    ("TLS_DHE_DSS_WITH_AES_128_CBC_SHA", "a"),
    ("TLS_RSA_WITH_3DES_EDE_CBC_SHA", "a"),
    ("TLS_DHE_DSS_WITH_3DES_EDE_CBC_SHA", "a"),
];

const fn policy(name: &'static str, oldest: SslProtocol, newest: SslProtocol, letter: char) -> PredefinedPolicy {
    PredefinedPolicy { name, oldest, newest, letter }
}

impl PredefinedPolicy {
    /// The policy with this name.
    pub fn named(name: &str) -> Option<Self> {
        POLICIES.into_iter().find(|policy| policy.name == name)
    }

    /// The names of all, for texts.
    pub fn names() -> String {
        POLICIES.map(|policy| policy.name).join(", ")
    }

    /// Its cipher suites, most preferred first.
    pub fn suites(self) -> impl Iterator<Item = &'static str> {
        SUITES.into_iter().filter(move |(_, letters)| letters.contains(self.letter)).map(|(name, _)| name)
    }
}

/// The cipher suites of TLS 1.3 that every policy of type CustomV2 has, listed or not.
pub const MANDATORY_SUITES: [&str; 2] = [SUITES[0].0, SUITES[1].0];
