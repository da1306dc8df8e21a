//! Changes of a kind after a list.

use std::time::Duration;

use kube::api::WatchParams;
use tokio::time::{Instant, timeout};

use super::list::STREAMED_LIST_TIMEOUT_SECONDS;
use super::{NO_EVENT, Reflector, not_built};
use crate::source::cluster::event::WatchEvent;
use crate::source::cluster::request::{LineStream, RequestFailure};
use crate::source::cluster::resource_version::is_before;
use crate::source::cluster::watched::Watched;

/// How long a watch must live without a failure to be believed to work, where no event comes that proves it.
const PROOF_TIMEOUT: Duration = Duration::from_millis(500);

impl<W: Watched> Reflector<W> {
    /// Fails if the server is at an earlier time than we are. One whose data was restored from a backup is, and a watch from a
    /// version that it has not reached yet would be silent until it has.
    pub(super) async fn check_position(&self, version: &str) -> Result<(), RequestFailure> {
        let current = self.fetch_current_version().await?;
        if is_before(&current, version) { Err(RequestFailure::Rewound) } else { Ok(()) }
    }

    /// Requests the changes since the last version that was seen.
    pub(super) async fn resume(&self) -> Result<LineStream, RequestFailure> {
        // The server ends the watch after this time, and says before how far it was.
        let seconds = u32::try_from(self.server.max_silence().as_secs()).unwrap_or(u32::MAX);
        let seconds = seconds.clamp(1, STREAMED_LIST_TIMEOUT_SECONDS);
        self.request_watch(self.health.version().unwrap_or_default(), seconds, false).await
    }

    pub(super) async fn request_watch(
        &self,
        version: &str,
        timeout_seconds: u32,
        begins_with_list: bool,
    ) -> Result<LineStream, RequestFailure> {
        let params = WatchParams {
            field_selector: self.target.field_selector(),
            timeout: Some(timeout_seconds),
            bookmarks: true,
            send_initial_events: begins_with_list,
            ..WatchParams::default()
        };
        let request = self.request();
        let request =
            if W::METADATA_ONLY { request.watch_metadata(&params, version) } else { request.watch(&params, version) };
        self.server.lines(request.map_err(not_built)?).await
    }

    /// Stores changes until the server ends the watch.
    pub(super) async fn follow(&mut self, mut lines: LineStream) -> Result<(), RequestFailure> {
        let opened = Instant::now();
        // A watch that the server should have ended some time ago is taken for dead.
        let max_silence = self.server.max_silence();
        let grace = (max_silence / 4).clamp(Duration::from_secs(1), Duration::from_secs(5));
        lines.end_at(opened + max_silence + grace);
        loop {
            let line = if self.health.is_well() {
                lines.next().await?
            } else {
                match timeout(PROOF_TIMEOUT, lines.next()).await {
                    Ok(line) => line?,
                    Err(_) => {
                        self.note_proof();
                        continue;
                    }
                }
            };
            let Some(line) = line else {
                let lived = opened.elapsed() >= PROOF_TIMEOUT;
                return if lived { Ok(()) } else { Err(RequestFailure::Broken("the watch ended at once".to_owned())) };
            };
            self.take_event(&line)?;
            if !self.health.is_well() {
                self.note_proof();
            }
        }
    }

    fn take_event(&mut self, line: &[u8]) -> Result<(), RequestFailure> {
        match WatchEvent::read(line) {
            Some(WatchEvent::Applied(object)) => {
                self.advance(&object.version)?;
                let read = W::read(&object);
                self.store.put::<W::Stored>(object.key, read);
            }
            Some(WatchEvent::Deleted(object)) => {
                self.advance(&object.version)?;
                self.store.remove::<W::Stored>(&object.key);
            }
            Some(WatchEvent::Bookmark { version, .. }) => self.advance(&version)?,
            Some(WatchEvent::Error(status)) => return Err(RequestFailure::of(status, 500)),
            None => return Err(NO_EVENT),
        }
        Ok(())
    }

    fn advance(&mut self, version: &str) -> Result<(), RequestFailure> {
        if self.health.version().is_some_and(|seen| is_before(version, seen)) {
            return Err(RequestFailure::Rewound);
        }
        self.health.advance(version);
        Ok(())
    }

    /// Notes that the watch works.
    fn note_proof(&mut self) {
        tracing::debug!(watch = self.label, "watch is well");
        self.health.prove();
        self.backoff.reset();
        self.states.end_trouble(&self.label);
    }
}
