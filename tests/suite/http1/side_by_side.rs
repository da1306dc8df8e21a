//! The front's reading of HTTP/1.1 beside that of hyper's server, on the same bytes: what is taken, as what, and where the next request
//! begins. Used by a property test and by `fuzz/fuzz_targets/http1.rs`.
//!
//! They agree, but for this:
//!
//! | what | front | hyper | why |
//! | --- | --- | --- | --- |
//! | a target with `"`, `<`, `>`, a grave accent in its path, or bytes that are no UTF-8 | taken | 400 | nginx, haproxy, Envoy and Go pass it on; nothing in it ends a target |
//! | a fragment in a target | 400 | cut off | what is matched would not be what came |
//! | `Content-Length` twice, or a list | 400 | taken, if equal | RFC 9112 section 6.3 lets it be refused; backends differ |
//! | `Content-Length` with `Transfer-Encoding` | 400 | chunked counts | RFC 9112 section 6.1: it may be an attempt to smuggle a request |
//! | other codings before `chunked`; `Transfer-Encoding` twice | 400, 501 | taken | what is not undone can't be framed anew |
//! | a control character in the extension of a chunk; a line of trailers that ends with LF alone | 400 | taken | some readers end the line there, and others do not |

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use steadygate::proxy::{ReadEnd, ReadRequest, read_requests};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// The size of a header, which both are to have.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// A request as hyper has taken it.
struct Taken {
    head: request::Parts,
    body: Bytes,
    trailers: HeaderMap,
}

/// Compares what both read in these pieces.
///
/// # Errors
/// They differ, and it is none of the differences that there is a reason for.
pub(crate) fn compare(pieces: &[&[u8]]) -> Result<(), String> {
    let (ours, end) = read_requests(pieces.iter().copied());
    let theirs = hypers(pieces);
    for (number, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        let differs = difference(ours, theirs);
        if let Some(what) = differs {
            return Err(format!("request {number}: {what}"));
        }
    }
    if let Some(further) = theirs.get(ours.len()) {
        let has_reason = is_refused_for_a_reason(end, further, &pieces.concat());
        return if has_reason {
            Ok(())
        } else {
            Err(format!("hyper takes {:?}, the front ends with {end:?}", further.head))
        };
    }
    match ours.get(theirs.len()) {
        Some(further) if !further.has_raw_target => Err(format!("the front takes {:?}, hyper does not", further.head)),
        _ => Ok(()),
    }
}

/// What differs in a request that both have taken.
fn difference(ours: &ReadRequest, theirs: &Taken) -> Option<&'static str> {
    let parts = &theirs.head;
    [
        (ours.head.method() == parts.method, "the method"),
        (ours.has_raw_target || *ours.head.uri() == parts.uri, "the target"),
        (ours.head.version() == parts.version, "the version"),
        (*ours.head.headers() == parts.headers, "the header"),
        (ours.body == theirs.body, "the body"),
        (ours.trailers == theirs.trailers, "the trailers"),
    ]
    .into_iter()
    .find_map(|(same, what)| (!same).then_some(what))
}

/// Whether there is a reason to refuse a request that hyper takes. `bytes` are all that were sent.
fn is_refused_for_a_reason(end: ReadEnd, theirs: &Taken, bytes: &[u8]) -> bool {
    let ReadEnd::Refused { status, fault } = end else { return false };
    let is_list = |length: &HeaderValue| length.as_bytes().contains(&b',');
    match (status, fault) {
        (400, "Content-Length is given more than once")
        | (400, "Transfer-Encoding is given more than once")
        | (400, "both Content-Length and Transfer-Encoding are given")
        | (400, "the request target has a fragment") => true,
        (400, "chunked is not the last Transfer-Encoding, or is given more than once") => true,
        // hyper gives a list of equal numbers as one number, and none beside a coding.
        (400, "the Content-Length is no number") => {
            let headers = &theirs.head.headers;
            headers.contains_key(header::TRANSFER_ENCODING)
                || headers.get(header::CONTENT_LENGTH).is_some_and(is_list)
                || bytes.contains(&b',')
        }
        (400, "trailers that are not HTTP/1.1") => {
            bytes.iter().enumerate().any(|(at, byte)| *byte == b'\n' && (at == 0 || bytes[at - 1] != b'\r'))
        }
        (400, "a chunk without a valid size") => {
            bytes.iter().any(|byte| byte.is_ascii_control() && !b"\r\n\t".contains(byte))
        }
        (501, _) => theirs.head.headers.contains_key(header::TRANSFER_ENCODING),
        _ => false,
    }
}

/// The requests that hyper takes.
fn hypers(pieces: &[&[u8]]) -> Vec<Taken> {
    let taken: Rc<RefCell<Vec<Taken>>> = Rc::default();
    let service = service_fn(|request: Request<Incoming>| {
        let taken = Rc::clone(&taken);
        async move {
            let (head, body) = request.into_parts();
            let mut answer = Response::new(Empty::<Bytes>::new());
            // Behind a CONNECT that is granted no request follows.
            if head.method == Method::CONNECT {
                *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            }
            // Of a body that breaks off, the request is not taken.
            if let Ok(body) = body.collect().await {
                let trailers = body.trailers().cloned().unwrap_or_default();
                taken.borrow_mut().push(Taken { head, body: body.to_bytes(), trailers });
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (mut near, far) = duplex(1 << 20);
        let mut builder = http1::Builder::new();
        builder.half_close(true).max_buf_size(MAX_HEADER_BYTES);
        let serving = builder.serve_connection(TokioIo::new(far), service);
        let sending = async {
            for piece in pieces {
                if near.write_all(piece).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
            let _ = near.shutdown().await;
            let _ = near.read_to_end(&mut Vec::new()).await;
        };
        let _ = tokio::join!(serving, sending);
    });
    taken.take()
}
