//! The ways to watch a kind: whole objects, or their versions alone.

use std::marker::PhantomData;

use kube::Resource;
use serde::de::DeserializeOwned;

use super::event::RawObject;
use super::resource_version::ResourceVersion;
use super::store::Stored;
use super::unreadable::Unreadable;
use crate::source::snapshot::SnapshotKind;

/// A way to watch a kind.
pub(super) trait Watched: Send + 'static {
    /// The kind as the server has it.
    type Resource: Resource<DynamicType = ()>;
    /// The kind as it is stored.
    type Stored: Stored;
    /// Whether the server is asked for metadata alone.
    const METADATA_ONLY: bool;
    /// Whether a cluster may not know the kind.
    const MAY_BE_ABSENT: bool;
    /// Whether it then lacks nothing.
    const IS_OPTIONAL: bool;

    /// Reads an object into the form in which it is stored; or says why it can't be read.
    fn read(object: &RawObject<'_>) -> Result<Self::Stored, Unreadable>;
}

/// Whole objects are watched, and stored without the fields that nobody reads.
pub(super) struct Full<K>(PhantomData<fn() -> K>);

impl<K: SnapshotKind> Watched for Full<K> {
    type Resource = K::Resource;
    type Stored = K;
    const METADATA_ONLY: bool = false;
    const MAY_BE_ABSENT: bool = K::IS_CUSTOM_RESOURCE;
    const IS_OPTIONAL: bool = K::IS_OPTIONAL;

    fn read(object: &RawObject<'_>) -> Result<K, Unreadable> {
        let mut resource: K::Resource = typed(object)?;
        // Trimmed at once, for a list holds thousands of objects before it is complete.
        K::trim(&mut resource);
        Ok(K::from(resource))
    }
}

/// Only the versions of objects are watched. Their contents are fetched by name, where something refers to them.
pub(super) struct MetadataOnly<K>(PhantomData<fn() -> K>);

impl<K: SnapshotKind> Watched for MetadataOnly<K>
where
    ResourceVersion<K>: Stored,
{
    type Resource = K::Resource;
    type Stored = ResourceVersion<K>;
    const METADATA_ONLY: bool = true;
    const MAY_BE_ABSENT: bool = K::IS_CUSTOM_RESOURCE;
    const IS_OPTIONAL: bool = K::IS_OPTIONAL;

    fn read(object: &RawObject<'_>) -> Result<ResourceVersion<K>, Unreadable> {
        Ok(ResourceVersion::new(object.version.clone()))
    }
}

fn typed<T: DeserializeOwned>(object: &RawObject<'_>) -> Result<T, Unreadable> {
    let mut json = serde_json::Deserializer::from_str(object.json);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let message = error.into_inner().to_string();
        // The line and column are those of a text that nobody sees.
        let message = message.split_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        Unreadable { field: if path == "." { String::new() } else { path }, message: message.to_owned() }
    })
}
