//! One watch: a list, then its changes, for as long as the process lives.
//!
//! `kube::runtime::watcher` is not used: it says nothing when a watch is accepted again, so that the end of trouble would be
//! known only with the next change; it tries a version for ever that the server answers with 410; and it would not notice a
//! server whose data has gone back to an earlier time.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use http::Request;
use kube::Resource;
use kube::api::{ListParams, WatchParams};
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};

use super::event::{Event, Object, Page};
use super::kept::{Kept, Received};
use super::pace::Pace;
use super::request::{Failure, Lines, Server};
use super::store::{List, Shared};
use super::trouble::{Trouble, Troubles};
use crate::source::Key;

/// Pauses after failures: the first, doubled each time up to the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// How often a kind is looked for that the server does not know.
const ABSENT: Duration = Duration::from_secs(5);
/// Pause before a kind whose objects are known is believed to be gone.
const DOUBT: Duration = Duration::from_secs(1);
/// How long a watch must have gone well to be called well, where nothing comes that proves it.
const WELL: Duration = Duration::from_millis(500);
/// Watches that are cut more often than that are begun again only so often.
const OFTEN: Duration = Duration::from_secs(1);
/// Objects on a page of a list.
const PAGE: u32 = 500;
/// How long a server may let a watch live that begins with a list, in seconds. It is ended here.
const STREAMED_LIST: u32 = 290;

/// How a server gives whole lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lists {
    /// As the beginning of a watch (KEP-3157): neither the server nor we hold a whole list at once.
    Streamed,
    /// Page by page.
    Paged,
}

/// A watch of one kind, in one namespace or all, of one object or all.
pub(super) struct Watching<R> {
    server: Server,
    namespace: Option<String>,
    name: Option<String>,
    lists: Lists,
    shared: Arc<Shared>,
    troubles: Troubles,
    /// The number of its list, where all else waits for that.
    list: Option<usize>,
    /// What is watched, as RBAC and people name it.
    what: String,
    /// Up to where everything is known; none: nothing is.
    version: Option<String>,
    /// Whether a failure came after that, so that the server may be another.
    doubtful: bool,
    /// Whether it has gone well since the last failure.
    well: bool,
    /// When it was last cut.
    cut: Option<Instant>,
    /// How often in a row the server has said that it does not know the kind.
    absences: u32,
    pace: Pace,
    kind: PhantomData<fn() -> R>,
}

impl<R: Received> Watching<R> {
    pub(super) fn new(
        server: Server,
        (namespace, name): (Option<&str>, Option<&str>),
        lists: Lists,
        shared: &Arc<Shared>,
        troubles: &Troubles,
    ) -> Self {
        let (group, plural) = (R::Resource::group(&()), R::Resource::plural(&()));
        let resource = if group.is_empty() { plural.into_owned() } else { format!("{plural}.{group}") };
        let what = match (namespace, name) {
            (Some(namespace), Some(name)) => format!("{resource} {namespace}/{name}"),
            (Some(namespace), None) => format!("{resource} in namespace {namespace}"),
            _ => resource,
        };
        // One object by name is for status alone; nothing is to wait for it.
        let awaited = name.is_none();
        if awaited {
            troubles.expect(&what);
        }
        Self {
            server,
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
            lists,
            shared: Arc::clone(shared),
            troubles: troubles.clone(),
            list: awaited.then(|| shared.expect_list()),
            what,
            version: None,
            doubtful: false,
            well: false,
            cut: None,
            absences: 0,
            pace: Pace::new(PAUSE.0, PAUSE.1),
            kind: PhantomData,
        }
    }

    /// Watches until the task is ended.
    pub(super) async fn run(mut self) {
        loop {
            match std::panic::AssertUnwindSafe(self.once()).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(failure)) => self.recover(failure).await,
                Err(_) => {
                    tracing::error!(watch = self.what, "watch broke down, which is a bug; begun again");
                    self.version = None;
                    sleep(self.pace.failed(None)).await;
                }
            }
        }
    }

    /// Lists, or goes on where it was, and follows until the server ends it.
    async fn once(&mut self) -> Result<(), Failure> {
        let lines = match self.version.clone() {
            None => self.list().await?,
            Some(version) => {
                if self.doubtful {
                    self.check(&version).await?;
                }
                None
            }
        };
        let lines = match lines {
            Some(lines) => lines,
            None => self.resume().await?,
        };
        self.follow(lines).await
    }

    /// After a failure: logs what should be logged, and waits.
    async fn recover(&mut self, failure: Failure) {
        self.doubtful = true;
        let went_well = std::mem::take(&mut self.well);
        if went_well && failure.code().is_none_or(|code| code == 410) && failure != Failure::Rewound {
            // Connections end now and then. It is trouble only if there is no other.
            tracing::debug!(watch = self.what, %failure, "watch ended");
            self.troubles.restarted(&self.what);
            if failure.code() == Some(410) {
                self.version = None;
            }
            let often = self.cut.replace(Instant::now()).is_some_and(|before| before.elapsed() < OFTEN);
            return sleep(if often { OFTEN } else { Duration::from_millis(fastrand::u64(0..50)) }).await;
        }
        let (code, asked) = match &failure {
            Failure::Refused { code, retry_after, .. } => (Some(*code), *retry_after),
            _ => (None, None),
        };
        if code != Some(404) {
            self.absences = 0;
        }
        let trouble = match (code, &failure) {
            (Some(410), _) | (_, Failure::Rewound) => {
                self.version = None;
                Trouble::Failing(failure.to_string())
            }
            // What this server calls a version from the future, which will not come.
            (Some(504), Failure::Refused { message, .. }) if message.contains("Too large resource version") => {
                self.version = None;
                Trouble::Failing(failure.to_string())
            }
            (Some(400 | 422), _) if self.lists == Lists::Streamed && self.version.is_none() => {
                tracing::info!(watch = self.what, %failure, "the server does not stream lists; they are paged instead");
                self.lists = Lists::Paged;
                return;
            }
            (Some(404), _) if R::MAY_BE_ABSENT && self.is_absent().await => return self.absent().await,
            (Some(403), Failure::Refused { message, .. }) => Trouble::Forbidden(message.clone()),
            (_, Failure::Silent(_)) if self.lists == Lists::Streamed && self.version.is_none() => {
                // Perhaps something on the way holds back a stream.
                self.lists = Lists::Paged;
                Trouble::Failing(failure.to_string())
            }
            _ => Trouble::Failing(failure.to_string()),
        };
        self.troubles.begin(&self.what, trouble);
        sleep(self.pace.failed(asked)).await;
    }

    /// The server does not know the kind: there are no objects of it.
    async fn absent(&mut self) {
        self.absences += 1;
        if self.absences < 2 && self.troubles.is_listed(&self.what) {
            return sleep(DOUBT).await;
        }
        self.take(List::new());
        self.version = None;
        self.troubles.begin(&self.what, Trouble::Absent);
        sleep(ABSENT).await;
    }

    /// Whether it is the API server that does not know the kind, and not something before it that knows nothing.
    async fn is_absent(&self) -> bool {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Known {
            kind: String,
            #[serde(default)]
            groups: Vec<Group>,
            #[serde(default)]
            resources: Vec<Group>,
        }
        #[derive(Deserialize)]
        struct Group {
            name: String,
        }
        // What can't be asked is no answer.
        let ask = async |path: String| {
            let body = self.server.body(Request::get(path).body(Vec::new()).ok()?).await;
            match body {
                Ok(body) => serde_json::from_slice::<Known>(&body).ok(),
                Err(failure) if failure.code() == Some(404) => {
                    Some(Known { kind: String::new(), groups: Vec::new(), resources: Vec::new() })
                }
                Err(_) => None,
            }
        };
        let (group, plural) = (R::Resource::group(&()), R::Resource::plural(&()));
        match ask("/apis".to_owned()).await {
            Some(known) if known.kind == "APIGroupList" => {
                if known.groups.iter().all(|known| known.name != group) {
                    return true;
                }
                let path = format!("/apis/{}", R::Resource::api_version(&()));
                ask(path).await.is_some_and(|known| known.resources.iter().all(|known| known.name != plural))
            }
            _ => false,
        }
    }

    fn went_well(&mut self) {
        tracing::debug!(watch = self.what, "watch is well");
        self.well = true;
        self.doubtful = false;
        self.absences = 0;
        self.pace.succeeded();
        self.troubles.over(&self.what);
    }

    fn request(&self) -> kube::core::Request {
        kube::core::Request::new(R::Resource::url_path(&(), self.namespace.as_deref()))
    }

    fn fields(&self) -> Option<String> {
        self.name.as_ref().map(|name| format!("metadata.name={name}"))
    }

    async fn page(&self, limit: u32, token: &str) -> Result<bytes::Bytes, Failure> {
        let params = ListParams {
            field_selector: self.fields(),
            limit: Some(limit),
            continue_token: Some(token.to_owned()).filter(|token| !token.is_empty()),
            ..ListParams::default()
        };
        let request = self.request();
        let request = if R::METADATA_ONLY { request.list_metadata(&params) } else { request.list(&params) };
        self.server.body(request.map_err(unmade)?).await
    }

    async fn lines(&self, version: &str, seconds: u32, streamed: bool) -> Result<Lines, Failure> {
        let params = WatchParams {
            field_selector: self.fields(),
            timeout: Some(seconds),
            bookmarks: true,
            send_initial_events: streamed,
            ..WatchParams::default()
        };
        let request = self.request();
        let request =
            if R::METADATA_ONLY { request.watch_metadata(&params, version) } else { request.watch(&params, version) };
        self.server.lines(request.map_err(unmade)?).await
    }

    /// Takes in a whole list. Where it came as the beginning of a watch, gives the rest of that.
    async fn list(&mut self) -> Result<Option<Lines>, Failure> {
        match self.lists {
            Lists::Streamed => self.stream().await.map(Some),
            Lists::Paged => self.pages().await.map(|()| None),
        }
    }

    async fn pages(&mut self) -> Result<(), Failure> {
        let (mut list, mut token) = (List::new(), String::new());
        loop {
            let body = self.page(PAGE, &token).await?;
            let page = read_page(&body)?;
            for item in page.items.into_iter().flatten() {
                let object = Object::read(item).ok_or(Failure::Nonsense("a list with an object without a name"))?;
                let read = R::read(&object);
                list.insert(object.key, read);
            }
            token = page.metadata.r#continue;
            if token.is_empty() {
                self.take(list);
                self.version = Some(page.metadata.resource_version);
                return Ok(());
            }
        }
    }

    async fn stream(&mut self) -> Result<Lines, Failure> {
        let mut lines = self.lines("", STREAMED_LIST, true).await?;
        let mut list = List::new();
        loop {
            let Some(line) = lines.next().await? else {
                return Err(Failure::Broken("the list ended before it was whole".to_owned()));
            };
            match Event::read(&line) {
                Some(Event::Applied(object)) => {
                    let read = R::read(&object);
                    list.insert(object.key, read);
                }
                Some(Event::Deleted(object)) => drop(list.remove(&object.key)),
                Some(Event::Bookmark { version, end: true }) => {
                    self.take(list);
                    self.version = Some(version);
                    return Ok(lines);
                }
                Some(Event::Bookmark { .. }) => {}
                Some(Event::Error(status)) => return Err(Failure::of(status, 500)),
                None => return Err(NO_EVENT),
            }
        }
    }

    /// Whether the server is as far as we are. One whose data was restored from a backup is not, and a watch from a version
    /// that it has not reached yet would be silent until it has.
    async fn check(&self, version: &str) -> Result<(), Failure> {
        let body = self.page(1, "").await?;
        let now = read_page(&body)?.metadata.resource_version;
        if is_before(&now, version) { Err(Failure::Rewound) } else { Ok(()) }
    }

    async fn resume(&self) -> Result<Lines, Failure> {
        // The server ends the watch after this time, having told how far it was.
        let seconds = u32::try_from(self.server.patience().as_secs()).unwrap_or(u32::MAX).clamp(1, STREAMED_LIST);
        self.lines(self.version.as_deref().unwrap_or_default(), seconds, false).await
    }

    async fn follow(&mut self, mut lines: Lines) -> Result<(), Failure> {
        let opened = Instant::now();
        let patience = self.server.patience();
        // A watch that should have been ended some time ago is taken for dead.
        let grace = (patience / 4).clamp(Duration::from_secs(1), Duration::from_secs(5));
        lines.end_at(opened + patience + grace);
        loop {
            let line = if self.well {
                lines.next().await?
            } else {
                match timeout(WELL, lines.next()).await {
                    Ok(line) => line?,
                    Err(_) => {
                        self.went_well();
                        continue;
                    }
                }
            };
            let Some(line) = line else {
                let lived = opened.elapsed() >= WELL;
                return if lived { Ok(()) } else { Err(Failure::Broken("the watch ended at once".to_owned())) };
            };
            match Event::read(&line) {
                Some(Event::Applied(object)) => {
                    self.advance(&object.version)?;
                    let read = R::read(&object);
                    self.shared.put::<R::Kept>(object.key, read);
                }
                Some(Event::Deleted(object)) => {
                    self.advance(&object.version)?;
                    self.shared.remove::<R::Kept>(&object.key);
                }
                Some(Event::Bookmark { version, .. }) => self.advance(&version)?,
                Some(Event::Error(status)) => return Err(Failure::of(status, 500)),
                None => return Err(NO_EVENT),
            }
            if !self.well {
                self.went_well();
            }
        }
    }

    fn advance(&mut self, version: &str) -> Result<(), Failure> {
        if self.version.as_deref().is_some_and(|known| is_before(version, known)) {
            return Err(Failure::Rewound);
        }
        self.version = Some(version.to_owned());
        Ok(())
    }

    fn take(&self, list: List<R::Kept>) {
        self.shared.replace(self.list, list, |key: &Key| {
            self.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace())
                && self.name.as_ref().is_none_or(|name| *name == key.name())
        });
        self.troubles.listed(&self.what);
        tracing::debug!(watch = self.what, kind = %R::Kept::KIND, "listed");
    }
}

const NO_EVENT: Failure = Failure::Nonsense("a line of a watch that is no event");

fn unmade(error: kube::core::request::Error) -> Failure {
    Failure::Broken(error.to_string())
}

fn read_page(body: &[u8]) -> Result<Page<'_>, Failure> {
    let page: Page<'_> = serde_json::from_slice(body).map_err(|_| Failure::Nonsense("no list"))?;
    if page.metadata.resource_version.is_empty() {
        return Err(Failure::Nonsense("a list without a version"));
    }
    Ok(page)
}

/// Whether one resourceVersion is older than another (KEP-5504: they can be compared as numbers). What is no number can't
/// be compared.
fn is_before(version: &str, other: &str) -> bool {
    let number = |text: &str| text.parse::<u64>().ok();
    matches!((number(version), number(other)), (Some(version), Some(other)) if version < other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, other, expected) in
            [("9", "10", true), ("10", "9", false), ("10", "10", false), ("", "10", false), ("x", "10", false)]
        {
            assert_eq!(is_before(version, other), expected, "{version} before {other}");
        }
    }

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
