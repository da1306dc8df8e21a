//! What becomes of a request: refused, redirected or forwarded.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;

use crate::model::{Action, Forward, Redirect};
use crate::proxy::forward;
use crate::proxy::forward::body::ResponseBody;
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::record::RequestRecord;
use crate::proxy::request::refusal::Refusal;
use crate::proxy::request::target::{self, RequestTarget};
use crate::table::Target;

/// Answers one request.
pub(super) async fn answer(
    context: Arc<ConnectionContext>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let record = Box::new(RequestRecord::new(Arc::clone(&context), &request));
    let (head, http1) = (*request.method() == Method::HEAD, request.version() < Version::HTTP_2);
    let mut response = match decide(&context, request, record).await {
        Ok(response) => response,
        Err((refusal, mut record)) => {
            let mut response = refusal.into_response(head);
            record.answered(response.status(), response.headers());
            response.body_mut().record = Some(record);
            response
        }
    };
    if http1 && response.status() != StatusCode::SWITCHING_PROTOCOLS && context.state.is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// The decision: refuse, redirect or forward.
async fn decide(
    context: &ConnectionContext,
    request: Request<Incoming>,
    mut record: Box<RequestRecord>,
) -> Result<Response<ResponseBody>, (Refusal, Box<RequestRecord>)> {
    let (parts, body) = request.into_parts();
    let asked = match target::read(&parts) {
        Ok(asked) => asked,
        Err(refusal) => return Err((refusal, record)),
    };
    record.host = Some(asked.host.clone());
    let target = match find(context, &asked) {
        Ok(target) => target,
        Err(refusal) => return Err((refusal, record)),
    };
    record.target = Some(Arc::clone(&target));
    match &target.route.action {
        Action::Redirect(_) if asked.host().is_empty() => Err((Refusal::malformed("no Host is given"), record)),
        Action::Redirect(redirect) => {
            let mut response = redirected(context, &asked, redirect);
            record.answered(response.status(), response.headers());
            response.body_mut().record = Some(record);
            Ok(response)
        }
        Action::Forward(Forward { options, pools: _ }) => {
            record.pool = target.choose_pool();
            let Some(chosen) = record.pool else {
                let message = "no backend of this route has a weight";
                return Err((Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "NoBackend", message), record));
            };
            let Some(pool) = target.pool(chosen) else {
                let message = "this route's backend is not configured";
                return Err((Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "PoolNotFound", message), record));
            };
            forward::forward(context, Request::from_parts(parts, body), &asked, options, pool, record).await
        }
        Action::NotFound => Err((Refusal::not_found(), record)),
        Action::Unavailable(unavailable) => {
            let message = "this route's backend is not configured rightly; its status says why";
            Err((Refusal::new(StatusCode::SERVICE_UNAVAILABLE, unavailable.reason, message), record))
        }
    }
}

/// The route for a request, from the newest table, which is let go of at once.
fn find(context: &ConnectionContext, asked: &RequestTarget) -> Result<Arc<Target>, Refusal> {
    let table = context.state.table.load();
    let listener = table.listener(context.listener.port).ok_or_else(Refusal::not_found)?;
    if let Some(name) = context.server_name.as_deref().filter(|name| *name != asked.host()) {
        let shown = listener.certificate(Some(name)).map(|certificate| &certificate.id);
        let wanted = listener.certificate(Some(asked.host())).map(|certificate| &certificate.id);
        if shown != wanted {
            return Err(Refusal::misdirected());
        }
    }
    listener.find(asked.host(), asked.path()).cloned().ok_or_else(Refusal::not_found)
}

fn redirected(context: &ConnectionContext, asked: &RequestTarget, redirect: &Redirect) -> Response<ResponseBody> {
    let given = asked.authority().rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    // A client that came by the port where the listener is really bound is led to where the other is bound.
    let bound = context.state.addresses.borrow().get(&redirect.port).map(SocketAddr::port);
    let direct = given == Some(context.listener.bound.port()) && given != Some(context.listener.port);
    let port = if direct { bound.unwrap_or(redirect.port) } else { redirect.port };
    let path = asked.uri.path_and_query().map_or("/", |path| path.as_str());
    let location = match port {
        443 => format!("https://{}{path}", asked.host()),
        port => format!("https://{}:{port}{path}", asked.host()),
    };
    let mut response = Response::new(ResponseBody::full(bytes::Bytes::new()));
    *response.status_mut() = StatusCode::from_u16(redirect.status).unwrap_or(StatusCode::PERMANENT_REDIRECT);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
