//! Whether a request may come from a web page: one whose name resolves to this machine, in the browser of somebody who sits at it or
//! forwards the port (DNS rebinding). Such a page knows the admin port by its own name alone.

use std::net::IpAddr;

use http::header;
use http::request::Parts;
use http::uri::Authority;

/// The hosts that a request names. `Err`: one of them can't be read.
fn named(request: &Parts) -> Result<Vec<Authority>, ()> {
    let hosts = request.headers.get_all(header::HOST).iter();
    let hosts = hosts.map(|host| host.to_str().ok().and_then(|host| host.parse().ok()).ok_or(()));
    hosts.chain(request.uri.authority().cloned().map(Ok)).collect()
}

/// Whether a host can only be meant for this machine: a web page has a DNS name.
fn is_of_machine(authority: &Authority) -> bool {
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok()
}

/// Whether a request names a host that a web page may have.
pub(super) fn may_be_web_page(request: &Parts) -> bool {
    !named(request).is_ok_and(|named| named.iter().all(is_of_machine))
}

/// Whether a request has one `Host`, and names no host that a web page may have.
pub(super) fn names_machine(request: &Parts) -> bool {
    request.headers.get_all(header::HOST).iter().count() == 1 && !may_be_web_page(request)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request(target: &str, hosts: &[&str]) -> Parts {
        let request = hosts.iter().fold(Request::get(target), |request, host| request.header(header::HOST, *host));
        request.body(()).expect("a request").into_parts().0
    }

    #[test]
    fn a_dns_name_may_be_a_web_page() {
        for host in ["127.0.0.1:9180", "[::1]:9180", "10.0.0.7", "localhost:9180", "LOCALHOST"] {
            let request = request("/debug/config", &[host]);
            assert!(!may_be_web_page(&request) && names_machine(&request), "{host}");
        }
        for host in ["evil.example:9180", "localhost.evil.example", "127.0.0.1.evil.example", "a@127.0.0.1 b", ""] {
            assert!(may_be_web_page(&request("/debug/config", &[host])), "{host}");
        }
        assert!(may_be_web_page(&request("http://evil.example/debug/config", &["127.0.0.1"])));
        assert!(may_be_web_page(&request("/debug/config", &["127.0.0.1", "evil.example"])));
        let without = request("/debug/config", &[]);
        assert!(!may_be_web_page(&without) && !names_machine(&without));
    }
}
