//! The body of a client's request, in every version of HTTP.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};

use super::http1_body::Http1Receiver;
use super::http1_upgrade::UpgradeRequest;
use super::http2_receiver::Http2Receiver;
use super::http2_tunnel::TunnelRequest;
use crate::proxy::limits::{MAX_TRAILER_BYTES, MAX_TRAILER_FIELDS};

/// The body of a client's request.
pub(in crate::proxy) enum ClientBody {
    /// A request of HTTP/1.1 with a body, or one that asks for an upgrade. What it does not have is `None`; so is what
    /// [`Self::take_upgrade`] leaves behind.
    Http1(Option<Http1Receiver>, Option<UpgradeRequest>),
    /// A request without a body.
    Empty,
    /// A request of HTTP/2.
    Http2(Http2Receiver),
    /// A CONNECT of HTTP/2: no body, but a tunnel once it is accepted. `None` is left behind by [`Self::take_tunnel`].
    Tunnel(Option<TunnelRequest>),
}

impl ClientBody {
    /// The stream by which the client may send ahead, if there is one.
    pub(in crate::proxy) fn receiver(&self) -> Option<Http2Receiver> {
        match self {
            Self::Http2(receiver) => Some(receiver.clone()),
            Self::Tunnel(Some(request)) => Some(request.receiver()),
            Self::Http1(..) | Self::Empty | Self::Tunnel(None) => None,
        }
    }

    /// The tunnel that a CONNECT asks for.
    pub(in crate::proxy) fn take_tunnel(&mut self) -> Option<TunnelRequest> {
        match self {
            Self::Tunnel(request) => request.take(),
            Self::Http1(..) | Self::Empty | Self::Http2(_) => None,
        }
    }

    /// The connection that a request of HTTP/1.1 asks to have upgraded.
    pub(in crate::proxy) fn take_upgrade(&mut self) -> Option<UpgradeRequest> {
        match self {
            Self::Http1(_, upgrade) => upgrade.take(),
            Self::Empty | Self::Http2(_) | Self::Tunnel(_) => None,
        }
    }
}

/// The next frame of a stream: a part, or the trailers.
fn poll_http2(receiver: &Http2Receiver, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
    if let Some(data) = ready!(receiver.poll_data(cx)) {
        return Poll::Ready(Some(data.map(Frame::data).map_err(io::Error::other)));
    }
    let trailers = ready!(receiver.poll_trailers(cx)).map_err(io::Error::other);
    Poll::Ready(trailers.and_then(checked).transpose().map(|trailers| trailers.map(Frame::trailers)))
}

/// Trailers that are within the limits, which are those of HTTP/1.1.
fn checked(trailers: Option<HeaderMap>) -> io::Result<Option<HeaderMap>> {
    let Some(trailers) = trailers else { return Ok(None) };
    let bytes: usize = trailers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if trailers.len() > MAX_TRAILER_FIELDS || bytes > MAX_TRAILER_BYTES {
        return Err(io::Error::other("the trailers are too large"));
    }
    Ok(Some(trailers))
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Http1(Some(body), _) => body.poll_frame(cx),
            Self::Http2(receiver) => poll_http2(receiver, cx),
            Self::Http1(None, _) | Self::Empty | Self::Tunnel(_) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(Some(body), _) => body.is_end(),
            Self::Http2(receiver) => receiver.is_end(),
            Self::Http1(None, _) | Self::Empty | Self::Tunnel(_) => true,
        }
    }
}
