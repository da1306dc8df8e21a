//! What API servers send, taken apart as far as every kind has it. Objects stay text here, so that one that can't be read
//! spoils nothing but itself.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::source::Key;

/// The annotation of the bookmark that ends a streamed list (KEP-3157).
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// One page of a list.
#[derive(Deserialize)]
pub(super) struct Page<'a> {
    pub(super) metadata: PageMetadata,
    /// None, or `null`, for no object.
    #[serde(borrow, default)]
    pub(super) items: Option<Vec<&'a RawValue>>,
}

/// What a list says of itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageMetadata {
    #[serde(default)]
    pub(super) resource_version: String,
    #[serde(default)]
    pub(super) r#continue: String,
}

/// One line of a watch.
#[derive(Deserialize)]
pub(super) struct Line<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// What a line of a watch says.
pub(super) enum Event<'a> {
    /// An object is new, or newer.
    Applied(Object<'a>),
    /// An object is gone.
    Deleted(Object<'a>),
    /// The watch has come so far. `end`: and the list before it is whole.
    Bookmark {
        /// resourceVersion.
        version: String,
        /// Whether the list is whole.
        end: bool,
    },
    /// The server can't go on.
    Error(ServerStatus),
}

/// An object, as text.
pub(super) struct Object<'a> {
    pub(super) key: Key,
    pub(super) version: String,
    pub(super) json: &'a str,
}

impl<'a> Object<'a> {
    /// Reads its name. None: it has none, so it is no object.
    pub(super) fn read(json: &'a RawValue) -> Option<Self> {
        let Named { metadata } = serde_json::from_str(json.get()).ok()?;
        let key = Key::new(metadata.namespace.unwrap_or_default(), metadata.name?);
        Some(Self { key, version: metadata.resource_version.unwrap_or_default(), json: json.get() })
    }
}

impl<'a> Event<'a> {
    /// Reads a line. None: it is not one of a watch.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let Line { r#type, object } = serde_json::from_slice(line).ok()?;
        Some(match r#type {
            "ADDED" | "MODIFIED" => Self::Applied(Object::read(object)?),
            "DELETED" => Self::Deleted(Object::read(object)?),
            "BOOKMARK" => {
                let Named { metadata } = serde_json::from_str(object.get()).ok()?;
                let annotations = metadata.annotations.unwrap_or_default();
                let end = annotations.get(INITIAL_EVENTS_END).is_some_and(|value| value == "true");
                Self::Bookmark { version: metadata.resource_version?, end }
            }
            "ERROR" => Self::Error(serde_json::from_str(object.get()).ok()?),
            _ => return None,
        })
    }
}

#[derive(Deserialize)]
struct Named {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    resource_version: Option<String>,
    annotations: Option<BTreeMap<String, String>>,
}

/// `Status` of meta/v1: an error in the server's words.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ServerStatus {
    #[serde(default)]
    pub(super) code: u16,
    #[serde(default)]
    pub(super) message: String,
    pub(super) details: Option<StatusDetails>,
}

/// More about an error.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusDetails {
    pub(super) retry_after_seconds: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        match Event::read(line.as_bytes()) {
            None => "nonsense".to_owned(),
            Some(Event::Applied(object)) => format!("applied {} {} {}", object.key, object.version, object.json),
            Some(Event::Deleted(object)) => format!("deleted {}", object.key),
            Some(Event::Bookmark { version, end }) => format!("bookmark {version} {end}"),
            Some(Event::Error(status)) => format!("error {} {}", status.code, status.message),
        }
    }

    #[test]
    fn every_type_of_event_is_read() {
        for (line, expected) in [
            (
                r#"{"type":"ADDED","object":{"metadata":{"name":"a","namespace":"n","resourceVersion":"7"},"spec":1}}"#,
                r#"applied n/a 7 {"metadata":{"name":"a","namespace":"n","resourceVersion":"7"},"spec":1}"#,
            ),
            (r#"{"type":"MODIFIED","object":{"metadata":{"name":"a"}}}"#, r#"applied /a  {"metadata":{"name":"a"}}"#),
            (r#"{"type":"DELETED","object":{"metadata":{"name":"a","namespace":"n"}}}"#, "deleted n/a"),
            (r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}"#, "bookmark 9 false"),
            (
                r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}"#,
                "bookmark 9 true",
            ),
            (r#"{"type":"ERROR","object":{"code":410,"message":"too old"}}"#, "error 410 too old"),
            (r#"{"type":"ADDED","object":{"metadata":{}}}"#, "nonsense"),
            (r#"{"type":"ADDED","object":{"metadata":{"name":"a"#, "nonsense"),
            ("<html>", "nonsense"),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }
}
