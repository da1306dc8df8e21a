//! The limit on how long a body may be silent, and why bodies break off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::proxy::http1::framing::MalformedBody;
use crate::proxy::timer::PooledTimer;

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum BodyError {
    /// An HTTP/2 connection to a member failed.
    #[error(transparent)]
    Http2Member(#[from] hyper::Error),
    /// The client's connection failed, or an HTTP/1.1 connection to a member.
    #[error(transparent)]
    Connection(#[from] io::Error),
    /// Nothing came for too long.
    #[error("nothing came for {0:?}")]
    Silence(Duration),
    /// A request's body is larger than it may be.
    #[error("it is larger than it may be")]
    TooLarge,
}

impl BodyError {
    /// The fault of a body that is not HTTP/1.1.
    pub(in crate::proxy) fn malformed(&self) -> Option<MalformedBody> {
        match self {
            Self::Connection(error) => error.get_ref()?.downcast_ref().copied(),
            Self::Http2Member(_) | Self::Silence(_) | Self::TooLarge => None,
        }
    }
}

/// A limit on how long a body may be silent. The timer exists only while it is.
#[derive(Debug)]
pub(super) struct SilenceLimit {
    limit: Duration,
    timer: Option<PooledTimer>,
}

impl SilenceLimit {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, timer: None }
    }

    /// Notes that something came.
    pub(super) fn reset(&mut self) {
        self.timer = None;
    }

    /// Notes that nothing has come yet. Ready when that has lasted too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| PooledTimer::after(limit));
        Pin::new(timer).poll(cx).map(|()| BodyError::Silence(limit))
    }
}
