//! Annotations for canaries: a second backend of another Ingress's paths, as Argo Rollouts and Flagger write them.

use super::{Annotation, AnnotationProblemKind};
use crate::api::value::{AllowedValues, Number, ValueKind};

/// A canary, as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CanarySettings {
    /// Whether the Ingress is the canary of another.
    pub enabled: bool,
    /// Its share of requests, of `total`.
    pub weight: Option<u32>,
    /// What weights are shares of.
    pub total: Option<u32>,
    /// The header that chooses.
    pub header: Option<String>,
    /// The value that chooses the canary.
    pub header_value: Option<String>,
    /// A regular expression for such values.
    pub header_pattern: Option<String>,
    /// The cookie that chooses.
    pub cookie: Option<String>,
}

type Weight = Number<0, 1_000_000>;

pub(super) const CANARY: Annotation = Annotation {
    key: "canary",
    values: bool::VALUES,
    default: "false",
    meaning: "Whether the Ingress is a canary: its Service is a second backend of the paths of another Ingress of its namespace that have \
              the host, text and type of its own. Of its other annotations only those of canaries count.",
    read: Some(|settings, text| {
        settings.canary.enabled = bool::from_text(text)?;
        Ok(())
    }),
};

pub(super) const WEIGHT: Annotation = Annotation {
    key: "canary-weight",
    values: Weight::VALUES,
    default: "0",
    meaning: "The canary's share of requests, of `canary-weight-total`.",
    read: Some(|settings, text| {
        settings.canary.weight = Some(Weight::from_text(text)?);
        Ok(())
    }),
};

pub(super) const TOTAL: Annotation = Annotation {
    key: "canary-weight-total",
    values: Number::<1, 1_000_000>::VALUES,
    default: "100",
    meaning: "What `canary-weight` is a share of. Less than 100 is 100.",
    read: Some(|settings, text| {
        settings.canary.total = Some(Number::<1, 1_000_000>::from_text(text)?);
        Ok(())
    }),
};

pub(super) const HEADER: Annotation = Annotation {
    key: "canary-by-header",
    values: AllowedValues::Words("the name of a header"),
    default: "",
    meaning: "A header that chooses before cookie and weight: `always` is the canary, `never` the other backend.",
    read: Some(|settings, text| {
        settings.canary.header = Some(token(text, "the name of a header")?);
        Ok(())
    }),
};

pub(super) const HEADER_VALUE: Annotation = Annotation {
    key: "canary-by-header-value",
    values: AllowedValues::Words("a value"),
    default: "",
    meaning: "The value of that header that is the canary, in place of always and never.",
    read: Some(|settings, text| {
        settings.canary.header_value = Some(text.trim().to_owned());
        Ok(())
    }),
};

pub(super) const HEADER_PATTERN: Annotation = Annotation {
    key: "canary-by-header-pattern",
    values: AllowedValues::Words("a regular expression"),
    default: "",
    meaning: "Values of that header that are the canary: those in which the expression matches. No effect beside `canary-by-header-value`.",
    read: Some(|settings, text| {
        settings.canary.header_pattern = Some(text.trim().to_owned());
        Ok(())
    }),
};

pub(super) const COOKIE: Annotation = Annotation {
    key: "canary-by-cookie",
    values: AllowedValues::Words("the name of a cookie"),
    default: "",
    meaning: "A cookie that chooses before the weight: `always` is the canary, `never` the other backend.",
    read: Some(|settings, text| {
        settings.canary.cookie = Some(token(text, "the name of a cookie")?);
        Ok(())
    }),
};

pub(super) const AFFINITY: Annotation = Annotation {
    key: "affinity-canary-behavior",
    values: AllowedValues::Words("sticky"),
    default: "sticky",
    meaning: "A client whose affinity cookie names a member stays with it, be it the canary's or not.",
    read: Some(|_, text| match text.trim() {
        "sticky" => Ok(()),
        "legacy" => Err(AnnotationProblemKind::UnsupportedValue("remove it: a client stays where its cookie says")),
        _ => Err("sticky".to_owned().into()),
    }),
};

/// A token (RFC 9110 section 5.6.2).
fn token(text: &str, expected: &str) -> Result<String, String> {
    let text = text.trim();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_token) { Ok(text.to_owned()) } else { Err(expected.to_owned()) }
}
