//! Tells browsers which origins may read answers (Fetch Standard, section 3.2).

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::model::{AllowedOrigins, Cors};

/// The `Access-Control-Allow-Origin` of the answer to a request. `None`: its origin is not allowed.
pub(super) fn allowed(cors: &Cors, headers: &HeaderMap) -> Option<HeaderValue> {
    match &cors.origins {
        AllowedOrigins::Any => Some(HeaderValue::from_static("*")),
        AllowedOrigins::List(list) => {
            let origin = headers.get(header::ORIGIN)?;
            list.iter().any(|allowed| allowed.matches(origin.as_bytes())).then(|| origin.clone())
        }
    }
}

/// Whether the gateway answers a request itself: it asks what is allowed.
pub(super) fn is_preflight(method: &Method) -> bool {
    *method == Method::OPTIONS
}

/// The answer to such a request. What it says of the origin is added as to any answer.
pub(super) fn preflight<B: Default>() -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Says in an answer what is allowed, in place of what the backend says of it.
pub(super) fn apply(cors: &Cors, allowed: &HeaderValue, headers: &mut HeaderMap) {
    let Cors { origin: _, origins, methods, headers: allowed_headers, exposed, credentials, max_age } = cors;
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers.clone());
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(*max_age));
    if *credentials {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    if let Some(exposed) = exposed {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
    }
    // A cache must not give the answer for one origin to another.
    if *origins != AllowedOrigins::Any {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
}
