//! Asks an API server whether it knows a kind.

use http::Request;
use kube::Resource;
use serde::Deserialize;

use crate::source::cluster::request::ApiServer;

/// An `APIGroupList` or an `APIResourceList` of meta/v1.
#[derive(Default, Deserialize)]
struct Discovered {
    kind: String,
    #[serde(default)]
    groups: Vec<NamedEntry>,
    #[serde(default)]
    resources: Vec<NamedEntry>,
}

#[derive(Deserialize)]
struct NamedEntry {
    name: String,
}

/// Whether the API server itself says that it does not know a kind. A 404 may also come from something before the server,
/// which knows nothing; and a question that fails is no answer.
pub(super) async fn lacks_kind<R: Resource<DynamicType = ()>>(server: &ApiServer) -> bool {
    let groups = match discover(server, "/apis".to_owned()).await {
        Some(Discovered { kind, groups, .. }) if kind == "APIGroupList" => groups,
        _ => return false,
    };
    let (group, plural) = (R::group(&()), R::plural(&()));
    if groups.iter().all(|known| known.name != group) {
        return true;
    }
    let known = discover(server, format!("/apis/{}", R::api_version(&()))).await;
    known.is_some_and(|known| known.resources.iter().all(|known| known.name != plural))
}

async fn discover(server: &ApiServer, path: String) -> Option<Discovered> {
    match server.body(Request::get(path).body(Vec::new()).ok()?).await {
        Ok(body) => serde_json::from_slice(&body).ok(),
        Err(failure) if failure.code() == Some(404) => Some(Discovered::default()),
        Err(_) => None,
    }
}
