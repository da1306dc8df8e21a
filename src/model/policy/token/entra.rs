//! Microsoft Entra as an issuer: its tenants, and the issuers and keys that belong to them
//! (learn.microsoft.com/entra/identity-platform/access-tokens, "Token formats" and "Validate the issuer").

use std::fmt;

use serde::{Serialize, Serializer};

/// The tenant of personal Microsoft accounts.
const CONSUMERS_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// Whose users' tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntraTenant {
    /// Those of one tenant: its GUID, in lower case.
    Id(Box<str>),
    /// Those of every tenant, and personal accounts.
    Common,
    /// Those of every tenant.
    Organizations,
    /// Personal accounts.
    Consumers,
}

/// The text is no tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the tenant's GUID, common, organizations or consumers")]
pub struct EntraTenantError;

impl EntraTenant {
    /// Reads `tenantId` of an ApplicationGateway.
    ///
    /// # Errors
    /// The text is neither a GUID nor one of the three words.
    pub fn parse(text: &str) -> Result<Self, EntraTenantError> {
        match text.to_ascii_lowercase().as_str() {
            "common" => Ok(Self::Common),
            "organizations" => Ok(Self::Organizations),
            "consumers" => Ok(Self::Consumers),
            guid if is_guid(guid) => Ok(Self::Id(guid.into())),
            _ => Err(EntraTenantError),
        }
    }

    /// The URL of the keys with which the tokens are signed.
    pub fn keys_url(&self) -> String {
        format!("https://login.microsoftonline.com/{self}/discovery/v2.0/keys")
    }

    /// Whether a token of the issuer `iss` for the tenant `tid` is accepted. Both versions of tokens have an issuer of their own.
    pub fn accepts(&self, iss: &str, tid: &str) -> bool {
        let issuers = ["https://login.microsoftonline.com/", "https://sts.windows.net/"];
        let rest =
            issuers.iter().zip(["/v2.0", "/"]).find_map(|(start, end)| iss.strip_prefix(start)?.strip_suffix(end));
        if !is_guid(tid) || rest != Some(tid) {
            return false;
        }
        match self {
            Self::Id(id) => tid.eq_ignore_ascii_case(id),
            Self::Common => true,
            Self::Organizations => !tid.eq_ignore_ascii_case(CONSUMERS_TENANT),
            Self::Consumers => tid.eq_ignore_ascii_case(CONSUMERS_TENANT),
        }
    }
}

impl fmt::Display for EntraTenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id(id) => id,
            Self::Common => "common",
            Self::Organizations => "organizations",
            Self::Consumers => "consumers",
        })
    }
}

impl Serialize for EntraTenant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Whether a text is a GUID in its usual form.
pub(super) fn is_guid(text: &str) -> bool {
    let groups = text.split('-').map(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(group.len()));
    groups.eq([8, 4, 4, 4, 12].map(Some))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

    #[test]
    fn a_tenant_is_a_guid_or_one_of_three_words() {
        assert_eq!(EntraTenant::parse("Common"), Ok(EntraTenant::Common));
        assert_eq!(EntraTenant::parse(&TENANT.to_uppercase()), Ok(EntraTenant::Id(TENANT.into())));
        for wrong in
            ["", "contoso.onmicrosoft.com", "72f988bf86f141af91ab2d7cd011db47", "72f988bf-86f1-41af-91ab-2d7cd011db4g"]
        {
            assert_eq!(EntraTenant::parse(wrong), Err(EntraTenantError), "{wrong}");
        }
        let url = format!("https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys");
        assert_eq!(EntraTenant::Id(TENANT.into()).keys_url(), url);
    }

    #[test]
    fn both_versions_of_tokens_are_accepted_for_the_tenant_that_they_name() {
        let issuers = |tid: &str| {
            [format!("https://login.microsoftonline.com/{tid}/v2.0"), format!("https://sts.windows.net/{tid}/")]
        };
        let accepted = |tenant: &EntraTenant, tid: &str| issuers(tid).iter().all(|iss| tenant.accepts(iss, tid));
        let refused = |tenant: &EntraTenant, tid: &str| issuers(tid).iter().all(|iss| !tenant.accepts(iss, tid));
        let one = EntraTenant::Id(TENANT.into());
        let other = "00000000-0000-0000-0000-000000000001";
        assert!(accepted(&one, TENANT) && refused(&one, other) && refused(&one, CONSUMERS_TENANT));
        assert!(accepted(&EntraTenant::Common, other) && accepted(&EntraTenant::Common, CONSUMERS_TENANT));
        assert!(accepted(&EntraTenant::Organizations, other) && refused(&EntraTenant::Organizations, CONSUMERS_TENANT));
        assert!(refused(&EntraTenant::Consumers, other) && accepted(&EntraTenant::Consumers, CONSUMERS_TENANT));
    }

    #[test]
    fn an_issuer_and_a_tenant_that_do_not_fit_are_refused() {
        let common = EntraTenant::Common;
        let other = "00000000-0000-0000-0000-000000000001";
        for (iss, tid) in [
            (format!("https://login.microsoftonline.com/{TENANT}/v2.0"), other),
            (format!("https://login.microsoftonline.com/{TENANT}/"), TENANT),
            (format!("https://sts.windows.net/{TENANT}/v2.0"), TENANT),
            (format!("https://login.microsoftonline.com.example/{TENANT}/v2.0"), TENANT),
            (format!("http://login.microsoftonline.com/{TENANT}/v2.0"), TENANT),
            ("https://login.microsoftonline.com/common/v2.0".to_owned(), "common"),
            ("https://login.microsoftonline.com//v2.0".to_owned(), ""),
        ] {
            assert!(!common.accepts(&iss, tid), "{iss} {tid}");
        }
    }
}
