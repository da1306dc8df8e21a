use std::time::Duration;

use super::*;

const TOKEN: &str = "0123456789abcdef";

fn azure() -> Affinity {
    Affinity {
        cookie: "Sticky".to_owned(),
        path: "/".to_owned(),
        domain: None,
        max_age: None,
        same_site: None,
        secure: CookieSecure::Never,
        cors: true,
    }
}

fn headers(cookies: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for cookie in cookies {
        headers.append(header::COOKIE, HeaderValue::from_str(cookie).expect("a value"));
    }
    headers
}

fn token(text: &str) -> Token {
    Token::read(text.as_bytes()).expect("a token")
}

/// What is set for a request with `cookies` whose member is `TOKEN`.
fn set(affinity: &Affinity, cookies: &[&str], tls: bool) -> Vec<String> {
    let mut answer = HeaderMap::new();
    answer.append(header::SET_COOKIE, HeaderValue::from_static("own=1"));
    AffinityCookies::read(Some(affinity), &headers(cookies), tls).set(&mut answer, || token(TOKEN));
    let cookies = answer.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().expect("text").to_owned());
    let mut cookies: Vec<_> = cookies.collect();
    assert_eq!(cookies.remove(0), "own=1", "the backend's own stays");
    cookies
}

#[test]
fn cookies_of_our_names_are_read_wherever_they_stand() {
    let (one, two) = ("00000000000000aa", "00000000000000bb");
    for (cookies, expected) in [
        (vec![format!("Sticky={one}")], vec![one]),
        (vec![format!("a=1; Sticky={one}; b=2")], vec![one]),
        (vec![format!("a=1;Sticky = {one} ;b")], vec![one]),
        (vec![format!("StickyCORS={one}; Sticky={two}")], vec![one, two]),
        (vec![format!("Sticky={one}"), format!("Sticky={two}")], vec![one, two]),
        (vec![format!("Sticky=x; Sticky={two}; Sticky={one}")], vec![two, one]),
        (vec![format!("sticky={one}; Sticky2={one}; XSticky={one}; StickyCORS2={one}")], vec![]),
        (vec![format!("a=Sticky={one}"), "Sticky".to_owned(), "Sticky=".to_owned(), "; ;=".to_owned()], vec![]),
    ] {
        let cookies: Vec<_> = cookies.iter().map(String::as_str).collect();
        let (affinity, headers) = (azure(), headers(&cookies));
        let sticky = AffinityCookies::read(Some(&affinity), &headers, false);
        assert_eq!(sticky.wanted(), expected.into_iter().map(token).collect::<Vec<_>>(), "{cookies:?}");
        assert_eq!(AffinityCookies::read(None, &headers, false).wanted(), []);
    }
    let alone = Affinity { cors: false, ..azure() };
    assert_eq!(AffinityCookies::read(Some(&alone), &headers(&[&format!("StickyCORS={one}")]), true).wanted(), []);
}

#[test]
fn the_second_cookie_is_set_over_tls_alone() {
    let first = format!("Sticky={TOKEN}; Path=/; HttpOnly");
    assert_eq!(set(&azure(), &[], false), [first.as_str()]);
    let second = format!("StickyCORS={TOKEN}; Path=/; SameSite=None; Secure; HttpOnly");
    assert_eq!(set(&azure(), &[], true), [first, second]);
}

#[test]
fn a_client_that_came_to_its_member_keeps_its_cookie() {
    let here = format!("Sticky={TOKEN}");
    let stale = "Sticky=00000000000000aa";
    assert_eq!(set(&azure(), &[&here], false), [""; 0]);
    assert_eq!(set(&azure(), &[stale, &here], true), [""; 0]);
    assert_eq!(set(&azure(), &[stale], false).len(), 1);
}

#[test]
fn a_cookie_has_the_attributes_that_are_asked_for() {
    let all = Affinity {
        path: "/shop".to_owned(),
        domain: Some("example.com".to_owned()),
        max_age: Some(Duration::from_secs(3600)),
        same_site: Some(SameSite::Lax),
        secure: CookieSecure::OverTls,
        cors: false,
        ..azure()
    };
    let start = format!("Sticky={TOKEN}; Path=/shop; Domain=example.com; Max-Age=3600; SameSite=Lax");
    assert_eq!(set(&all, &[], false), [format!("{start}; HttpOnly")]);
    assert_eq!(set(&all, &[], true), [format!("{start}; Secure; HttpOnly")]);
    let always = Affinity { secure: CookieSecure::Always, ..all };
    assert_eq!(set(&always, &[], false), [format!("{start}; Secure; HttpOnly")]);
}
