//! The value of `Date` (RFC 9110 section 6.6.1): formatted once a second for each worker.

use std::cell::RefCell;
use std::time::SystemTime;

use http::HeaderValue;
use httpdate::HttpDate;

thread_local! {
    static LAST: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

/// The time now.
pub(in crate::proxy) fn now() -> HeaderValue {
    let now = SystemTime::now();
    let second = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    LAST.with_borrow_mut(|last| match last {
        Some((of, value)) if *of == second => value.clone(),
        _ => {
            let text = HttpDate::from(now).to_string();
            let value = HeaderValue::from_str(&text).expect("a date is a text");
            last.insert((second, value)).1.clone()
        }
    })
}
