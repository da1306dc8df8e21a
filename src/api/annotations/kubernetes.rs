//! `kubernetes.io/`: what several controllers read. Its other annotations are read elsewhere, or are not about routing.

use super::Annotation;
use crate::api::value::ValueKind;

/// The annotations of this family.
pub(super) const ENTRIES: &[Annotation] = &[Annotation {
    key: "ingress.allow-http",
    values: bool::VALUES,
    default: "true",
    meaning: "Whether port 80 serves the Ingress in clear text. If not, it answers a redirect where one is asked for, and \
              else 404. Paths below `/.well-known/acme-challenge` are served nevertheless.",
    read: Some(|settings, text| {
        settings.allow_http = Some(bool::from_text(text)?);
        Ok(())
    }),
}];
