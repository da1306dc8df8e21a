//! Lists and watch events of an API server, read as far as they are the same for every kind. Objects stay text here, so that
//! one that can't be read damages nothing but itself.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::source::Key;

/// The annotation of the bookmark that ends a streamed list (KEP-3157).
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// One page of a list.
#[derive(Deserialize)]
pub(super) struct ListPage<'a> {
    pub(super) metadata: ListMetadata,
    /// The objects. Missing, or `null`, where there is none.
    #[serde(borrow, default)]
    pub(super) items: Option<Vec<&'a RawValue>>,
}

/// `ListMeta` of meta/v1.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMetadata {
    #[serde(default)]
    pub(super) resource_version: String,
    #[serde(default)]
    pub(super) r#continue: String,
}

/// `WatchEvent` of meta/v1: one line of a watch.
#[derive(Deserialize)]
struct EventLine<'a> {
    r#type: &'a str,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// A line of a watch, read.
pub(super) enum WatchEvent<'a> {
    /// An object is new, or newer.
    Applied(RawObject<'a>),
    /// An object is gone.
    Deleted(RawObject<'a>),
    /// Everything up to a version has been sent.
    Bookmark {
        /// The version.
        version: String,
        /// Whether it ends the list with which the watch began (KEP-3157).
        ends_list: bool,
    },
    /// The server ends the watch with an error.
    Error(ServerStatus),
}

/// An object as text, with its name and version.
pub(super) struct RawObject<'a> {
    pub(super) key: Key,
    pub(super) version: String,
    pub(super) json: &'a str,
}

impl<'a> RawObject<'a> {
    /// Reads name and version. `None`: there is no name, so that it is no object.
    pub(super) fn read(json: &'a RawValue) -> Option<Self> {
        let NamedObject { metadata } = serde_json::from_str(json.get()).ok()?;
        let key = Key::new(metadata.namespace.unwrap_or_default(), metadata.name?);
        Some(Self { key, version: metadata.resource_version.unwrap_or_default(), json: json.get() })
    }
}

impl<'a> WatchEvent<'a> {
    /// Reads a line. `None`: it is not a line of a watch.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let EventLine { r#type, object } = serde_json::from_slice(line).ok()?;
        Some(match r#type {
            "ADDED" | "MODIFIED" => Self::Applied(RawObject::read(object)?),
            "DELETED" => Self::Deleted(RawObject::read(object)?),
            "BOOKMARK" => {
                let NamedObject { metadata } = serde_json::from_str(object.get()).ok()?;
                let annotations = metadata.annotations.unwrap_or_default();
                let ends_list = annotations.get(INITIAL_EVENTS_END).is_some_and(|value| value == "true");
                Self::Bookmark { version: metadata.resource_version?, ends_list }
            }
            "ERROR" => Self::Error(serde_json::from_str(object.get()).ok()?),
            _ => return None,
        })
    }
}

#[derive(Deserialize)]
struct NamedObject {
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

/// `Status` of meta/v1: an error in the server's own words.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ServerStatus {
    #[serde(default)]
    pub(super) code: u16,
    #[serde(default)]
    pub(super) message: String,
    pub(super) details: Option<StatusDetails>,
}

/// `StatusDetails` of meta/v1.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusDetails {
    pub(super) retry_after_seconds: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        match WatchEvent::read(line.as_bytes()) {
            None => "nonsense".to_owned(),
            Some(WatchEvent::Applied(object)) => format!("applied {} {} {}", object.key, object.version, object.json),
            Some(WatchEvent::Deleted(object)) => format!("deleted {}", object.key),
            Some(WatchEvent::Bookmark { version, ends_list }) => format!("bookmark {version} {ends_list}"),
            Some(WatchEvent::Error(status)) => format!("error {} {}", status.code, status.message),
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
