//! Parts of the Ingresses that were read last. Ingresses that are read one after the other are mostly written alike, so
//! equal parts become one object.

use std::collections::VecDeque;
use std::sync::Arc;

use super::backend_ref::BackendTarget;
use crate::api::annotations::AnnotationSettings;
use crate::model::{PathRegex, PatternError, WebSocket};
use crate::translate::recent::Recent;
use crate::translate::websocket;

/// How many of each are compared. With 16, nearly all equal ones are found without an index over all Ingresses.
const MAX_RECENT: usize = 16;

/// Settings and backends of the Ingresses that were read last.
#[derive(Debug, Default)]
pub(super) struct RecentSettings {
    settings: VecDeque<OwnSettings>,
    targets: Recent<BackendTarget, MAX_RECENT>,
    /// Each is compiled once for all Ingresses that are read one after the other.
    regexes: VecDeque<Arc<PathRegex>>,
}

/// Settings of an Ingress that differ from those of its class, with what is derived from them.
#[derive(Debug)]
struct OwnSettings {
    settings: Arc<AnnotationSettings>,
    websocket: Arc<WebSocket>,
}

impl RecentSettings {
    /// Settings equal to these, and what they mean for WebSocket sessions.
    pub(super) fn share_settings(
        &mut self,
        settings: Arc<AnnotationSettings>,
    ) -> (Arc<AnnotationSettings>, Arc<WebSocket>) {
        if let Some(known) = self.settings.iter().find(|known| known.settings == settings) {
            return (Arc::clone(&known.settings), Arc::clone(&known.websocket));
        }
        let websocket = Arc::new(websocket::from_annotations(&settings));
        self.settings.truncate(MAX_RECENT - 1);
        let (own, shared) = (Arc::clone(&settings), Arc::clone(&websocket));
        self.settings.push_front(OwnSettings { settings: own, websocket: shared });
        (settings, websocket)
    }

    /// The regular expression of a text.
    pub(super) fn share_regex(&mut self, text: &str) -> Result<Arc<PathRegex>, PatternError> {
        if let Some(known) = self.regexes.iter().find(|known| known.as_str() == text) {
            return Ok(Arc::clone(known));
        }
        let regex = Arc::new(PathRegex::compile(text)?);
        self.regexes.truncate(MAX_RECENT - 1);
        self.regexes.push_front(Arc::clone(&regex));
        Ok(regex)
    }

    /// A target equal to this one.
    pub(super) fn share_target(&mut self, target: BackendTarget) -> Arc<BackendTarget> {
        self.targets.share(target)
    }
}
