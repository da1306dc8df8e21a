//! The policies of a route, one line a step, in the order in which they apply.

use crate::model::rewrite::{HeaderRewrite, RewriteCondition, RewriteRule, UrlRewrite, ValueMatcher};
use crate::model::{
    BodyLimit, Canary, CanaryHeader, CanaryValues, ClearTextRedirect, ClientAddresses, ClientCertificates, Cors,
    ErrorPages, HeaderChange, HeaderModifier, Hsts, KeySource, PathReplacement, Policies, ProhibitedTarget,
    ProhibitedTargets, RequestLimits, RewriteSet, RouteFilters, SessionAtTokenEnd, TlsPolicy, TlsTerms, TokenIssuer,
    TokenPolicy, Unauthorized,
};

/// What the host asks of connections.
pub(super) fn tls(TlsPolicy { origin, terms }: &TlsPolicy) -> String {
    let TlsTerms { cipher_suites, http2, requires_server_name, client_certificates } = &**terms;
    let suites = cipher_suites.as_ref().map(|suites| {
        let names: Vec<_> = suites.iter().map(|suite| suite.name()).collect();
        format!("TLS with {}", names.join(", "))
    });
    let certificates = client_certificates.as_ref().map(|ClientCertificates { authorities, issuer_is_last_ca }| {
        let prints: Vec<_> = authorities.iter().map(ToString::to_string).collect();
        let issuer = if *issuer_is_last_ca { ", issued by the last CA of their chain" } else { "" };
        format!("a client certificate from the CA with SHA-256 {}{issuer}", prints.join(" or "))
    });
    let http2 = (!http2).then(|| "no HTTP/2".to_owned());
    let name = requires_server_name.then(|| "a server name".to_owned());
    let asked: Vec<_> = [suites, name, certificates, http2].into_iter().flatten().collect();
    format!("connection {} ({origin})", asked.join("; "))
}

/// The steps that a request takes, each with the object and field that asked for it.
pub(super) fn steps(policies: &Policies) -> Vec<String> {
    let Policies {
        prohibited,
        client_addresses,
        body_limit,
        request_limits,
        cors,
        clear_text,
        token: asked,
        rewrites: set,
        filters,
        canary,
        error_pages,
        hsts,
    } = policies;
    let prohibited = prohibited.as_deref().map(targets).into_iter().flatten();
    let addresses = client_addresses.as_ref().map(addresses).into_iter().flatten();
    let asked = asked.as_deref().map(token);
    let set = set.as_deref().map(rewrites).into_iter().flatten();
    let filtered = filters.as_deref().map(filter).into_iter().flatten();
    let canary = canary.as_deref().map(by_canary);
    let pages = error_pages.as_deref().map(pages).into_iter().flatten();
    let body = body_limit
        .as_ref()
        .map(|BodyLimit { origin, bytes }| format!("body       {bytes} bytes at most, else 413 ({origin})"));
    let limits = request_limits.as_deref().map(|RequestLimits { origin, rates, concurrent, exempt: _, status }| {
        let rates = rates.iter().map(ToString::to_string);
        let concurrent = concurrent.map(|concurrent| format!("{concurrent} requests at once"));
        let limits: Vec<String> = rates.chain(concurrent).collect();
        format!("limits     {} for each client address, else {status} ({origin})", limits.join(", "))
    });
    let cors = cors.as_deref().map(|Cors { origin, origins, credentials, .. }| {
        let credentials = if *credentials { ", with credentials" } else { "" };
        format!("cors       {origins}{credentials}; OPTIONS of these is answered 204 ({origin})")
    });
    let clear_text = clear_text.as_ref().map(|ClearTextRedirect { origin, redirect }| {
        format!("redirect   {redirect}, of requests in clear text ({origin})")
    });
    let hsts = hsts.as_ref().map(|Hsts { origin, value }| {
        format!("answer     Strict-Transport-Security {} over HTTPS ({origin})", value.to_str().unwrap_or_default())
    });
    prohibited
        .chain(addresses)
        .chain(body)
        .chain(cors)
        .chain(clear_text)
        .chain(limits)
        .chain(asked)
        .chain(set)
        .chain(filtered)
        .chain(canary)
        .chain(pages)
        .chain(hsts)
        .collect()
}

fn by_canary(Canary { origin, header, cookie }: &Canary) -> String {
    let header = header.as_ref().map(|CanaryHeader { name, values }| match values {
        CanaryValues::AlwaysOrNever => format!("header {name} (always, never)"),
        CanaryValues::Equal(value) => format!("header {name} = {value:?}"),
        CanaryValues::Matching(pattern) => format!("header {name} matches {pattern}"),
        CanaryValues::None => format!("header {name}: never"),
    });
    let cookie = cookie.as_ref().map(|name| format!("cookie {name} (always, never)"));
    let steps: Vec<_> = header.into_iter().chain(cookie).chain(["weights".to_owned()]).collect();
    format!("canary     by {} ({origin})", steps.join(", then "))
}

fn targets(ProhibitedTargets(targets): &ProhibitedTargets) -> impl Iterator<Item = String> {
    targets.iter().map(|ProhibitedTarget { origin, host, paths }| {
        let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
        format!("prohibited host {host}, path {}: 503 ({origin})", paths.join(" or "))
    })
}

fn addresses(ClientAddresses { deny, allow }: &ClientAddresses) -> impl Iterator<Item = String> {
    let lists = [("all clients but", deny), ("no clients but", allow)];
    lists.into_iter().filter_map(|(who, list)| {
        let list = list.as_ref()?;
        let networks: Vec<_> = list.networks.iter().map(ToString::to_string).collect();
        Some(format!("admits     {who} {} ({})", networks.join(", "), list.origin))
    })
}

fn pages(ErrorPages(pages): &ErrorPages) -> impl Iterator<Item = String> {
    pages.iter().map(|(status, page)| format!("errors     {status} has a page ({})", page.origin))
}

fn token(policy: &TokenPolicy) -> String {
    let TokenPolicy { origin, issuer, audiences, keys, unauthorized, session_end, .. } = policy;
    let issuer = match issuer {
        TokenIssuer::Named(name) => name.to_string(),
        TokenIssuer::Entra(tenant) => format!("Microsoft Entra (tenant {tenant})"),
    };
    let keys = match keys {
        KeySource::Static(_) => "an object of the cluster".to_owned(),
        KeySource::Url(url) => url.to_string(),
    };
    let without = match unauthorized {
        Unauthorized::Deny => "without one 401",
        Unauthorized::Allow => "without one it goes on, and names nobody",
    };
    let session = match session_end {
        SessionAtTokenEnd::Close => "sessions end with it (1008)",
        SessionAtTokenEnd::Keep => "sessions outlive it",
    };
    let audiences = audiences.join(" or ");
    format!("token      of {issuer}, for {audiences}, keys from {keys}; {without}; {session} ({origin})")
}

fn filter(RouteFilters { origin, request, response, path }: &RouteFilters) -> impl Iterator<Item = String> {
    let changes = [("request", request), ("answer", response)].into_iter().flat_map(|(of, HeaderModifier(changes))| {
        changes.iter().map(move |change| match change {
            HeaderChange::Set(name, value) => format!("{of} {name} is {value:?}"),
            HeaderChange::Add(name, value) => format!("{of} {name} gets {value:?} as well"),
            HeaderChange::Remove(name) => format!("{of} {name} removed"),
        })
    });
    let path = path.iter().map(|path| match path {
        PathReplacement::Full(path) => format!("path {path}"),
        PathReplacement::Prefix { prefix, replacement } => {
            format!("path {prefix:?} at its front becomes {replacement:?}")
        }
    });
    changes.chain(path).map(move |change| format!("filter     {change} ({origin})"))
}

fn rewrites(RewriteSet { origin, rules, .. }: &RewriteSet) -> impl Iterator<Item = String> {
    rules.iter().map(move |rule| format!("rewrite    {} ({origin}, rule {})", effect(rule), rule.name))
}

/// What a rule does, and in which case.
fn effect(RewriteRule { name: _, conditions, request_headers, response_headers, url }: &RewriteRule) -> String {
    let header = |of: &str, header: &HeaderRewrite| {
        let HeaderRewrite { name, matcher, value } = header;
        let only = match matcher {
            Some(ValueMatcher { pattern, negate: false }) => format!(" values that match {pattern}"),
            Some(ValueMatcher { pattern, negate: true }) => format!(" values that do not match {pattern}"),
            None => String::new(),
        };
        if value.is_empty() { format!("{of} {name}{only} removed") } else { format!("{of} {name}{only}: {value}") }
    };
    let request = request_headers.iter().map(|each| header("request", each));
    let answer = response_headers.iter().map(|each| header("answer", each));
    let url = url.iter().flat_map(|UrlRewrite { path, query, reroute }| {
        let path = path.as_ref().map(|path| format!("path {path}"));
        let query = query.as_ref().map(|query| match query.is_empty() {
            true => "no query".to_owned(),
            false => format!("query {query}"),
        });
        path.into_iter().chain(query).chain(reroute.then(|| "which decides on the route".to_owned()))
    });
    let effects: Vec<String> = request.chain(url).chain(answer).collect();
    let met = |RewriteCondition { variable, pattern, negate }: &RewriteCondition| {
        format!("{variable} {} {pattern}", if *negate { "does not match" } else { "matches" })
    };
    match conditions.iter().map(met).collect::<Vec<_>>() {
        none if none.is_empty() => effects.join(", "),
        conditions => format!("{}; if {}", effects.join(", "), conditions.join(" and ")),
    }
}
