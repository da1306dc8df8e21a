//! Complete lists of a kind: page by page, or as the beginning of a watch.

use bytes::Bytes;
use kube::api::ListParams;

use super::{NO_EVENT, Reflector, not_built};
use crate::source::Key;
use crate::source::cluster::event::{ListPage, RawObject, WatchEvent};
use crate::source::cluster::request::{LineStream, RequestFailure};
use crate::source::cluster::store::{ObjectList, Stored};
use crate::source::cluster::watched::Watched;

/// How many objects are requested on a page of a list.
const PAGE_SIZE: u32 = 500;
/// How long a server may let a watch live that begins with a list, in seconds. It is ended by us before that.
pub(super) const STREAMED_LIST_TIMEOUT_SECONDS: u32 = 290;

/// How complete lists are requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source::cluster) enum ListMode {
    /// As the beginning of a watch (KEP-3157): neither the server nor we hold a complete list at once.
    Streamed,
    /// Page by page.
    Paged,
}

impl<W: Watched> Reflector<W> {
    /// Takes in a complete list. Where the list came as the beginning of a watch, gives the rest of the watch.
    pub(super) async fn fetch_list(&mut self) -> Result<Option<LineStream>, RequestFailure> {
        match self.list_mode {
            ListMode::Streamed => self.stream_list().await.map(Some),
            ListMode::Paged => self.page_through_list().await.map(|()| None),
        }
    }

    async fn page_through_list(&mut self) -> Result<(), RequestFailure> {
        let (mut list, mut token) = (ObjectList::new(), String::new());
        loop {
            let body = self.fetch_page(PAGE_SIZE, &token).await?;
            let page = read_page(&body)?;
            for item in page.items.into_iter().flatten() {
                let object =
                    RawObject::read(item).ok_or(RequestFailure::Nonsense("a list with an object without a name"))?;
                let read = W::read(&object);
                list.insert(object.key, read);
            }
            token = page.metadata.r#continue;
            if token.is_empty() {
                self.take_list(list);
                self.health.advance(&page.metadata.resource_version);
                return Ok(());
            }
        }
    }

    async fn stream_list(&mut self) -> Result<LineStream, RequestFailure> {
        let mut lines = self.request_watch("", STREAMED_LIST_TIMEOUT_SECONDS, true).await?;
        let mut list = ObjectList::new();
        loop {
            let Some(line) = lines.next().await? else {
                return Err(RequestFailure::Broken("the list ended before it was whole".to_owned()));
            };
            match WatchEvent::read(&line) {
                Some(WatchEvent::Applied(object)) => {
                    let read = W::read(&object);
                    list.insert(object.key, read);
                }
                Some(WatchEvent::Deleted(object)) => {
                    list.remove(&object.key);
                }
                Some(WatchEvent::Bookmark { version, ends_list: true }) => {
                    self.take_list(list);
                    self.health.advance(&version);
                    return Ok(lines);
                }
                Some(WatchEvent::Bookmark { .. }) => {}
                Some(WatchEvent::Error(status)) => return Err(RequestFailure::of(status, 500)),
                None => return Err(NO_EVENT),
            }
        }
    }

    /// The version of the server's data now.
    pub(super) async fn fetch_current_version(&self) -> Result<String, RequestFailure> {
        let body = self.fetch_page(1, "").await?;
        Ok(read_page(&body)?.metadata.resource_version)
    }

    async fn fetch_page(&self, limit: u32, token: &str) -> Result<Bytes, RequestFailure> {
        let params = ListParams {
            field_selector: self.target.field_selector(),
            limit: Some(limit),
            continue_token: Some(token.to_owned()).filter(|token| !token.is_empty()),
            ..ListParams::default()
        };
        let request = self.request();
        let request = if W::METADATA_ONLY { request.list_metadata(&params) } else { request.list(&params) };
        self.server.body(request.map_err(not_built)?).await
    }

    /// Stores a complete list.
    pub(super) fn take_list(&self, list: ObjectList<W::Stored>) {
        self.store.replace(self.list_slot, list, |key: &Key| self.target.covers(key));
        self.states.set_listed(&self.label);
        tracing::debug!(watch = self.label, kind = %W::Stored::KIND, "listed");
    }
}

fn read_page(body: &[u8]) -> Result<ListPage<'_>, RequestFailure> {
    let page: ListPage<'_> = serde_json::from_slice(body).map_err(|_| RequestFailure::Nonsense("no list"))?;
    if page.metadata.resource_version.is_empty() {
        return Err(RequestFailure::Nonsense("a list without a version"));
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_known_by_its_version() {
        for items in ["[]", "null", r#"[{"metadata":{"name":"a"}}]"#] {
            let text = format!(r#"{{"metadata":{{"resourceVersion":"7"}},"items":{items}}}"#);
            assert!(read_page(text.as_bytes()).is_ok(), "{text}");
        }
        for text in ["", "{}", r#"{"metadata":{}}"#, r#"{"metadata":{"resourceVersion":""},"items":[]}"#, "<html>"] {
            assert!(read_page(text.as_bytes()).is_err(), "{text}");
        }
    }
}
