//! Sessions as lines for people.

use std::fmt::Write as _;

use crate::admin::sessions::ListedSession;

/// Names of the columns, how wide each may be, and whether it is a number.
const COLUMNS: [(&str, usize, bool); 10] = [
    ("ID", 20, true),
    ("AGE", 8, true),
    ("IDLE", 8, true),
    ("CLIENT", 39, false),
    ("PROTOCOL", 24, false),
    ("OBJECT", 48, false),
    ("MEMBER", 47, false),
    ("UP/DOWN", 21, true),
    ("BYTES", 10, true),
    ("STATE", 60, false),
];

/// The sessions, from the oldest, a line each.
pub(super) fn table(sessions: &[ListedSession<'_>]) -> String {
    let mut sorted: Vec<_> = sessions.iter().collect();
    sorted.sort_by(|one, other| other.age_seconds.total_cmp(&one.age_seconds).then(one.id.cmp(&other.id)));
    let mut rows = vec![COLUMNS.map(|(name, ..)| name.to_owned())];
    rows.extend(sorted.into_iter().map(row));
    for row in &mut rows {
        for (cell, (_, most, _)) in row.iter_mut().zip(COLUMNS) {
            *cell = cut(cell, most);
        }
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; COLUMNS.len()] = std::array::from_fn(width);
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for ((cell, width), (_, _, number)) in row.iter().zip(widths).zip(COLUMNS) {
            let _infallible = if number { write!(line, "{cell:>width$}  ") } else { write!(line, "{cell:<width$}  ") };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn row(session: &ListedSession<'_>) -> [String; COLUMNS.len()] {
    let state = match &session.closing {
        None => session.state.to_string(),
        Some(closing) => {
            let code = closing.code.map(|code| format!("{code}, ")).unwrap_or_default();
            format!("{} ({}, {code}at {})", session.state, closing.why, closing.at)
        }
    };
    let messages = match &*session.protocol {
        "websocket" => format!("{}/{}", session.up.messages(), session.down.messages()),
        _ => "-".to_owned(),
    };
    [
        session.id.to_string(),
        duration(session.age_seconds),
        duration(session.silence_seconds),
        session.client.to_canonical().to_string(),
        session.protocol.to_string(),
        session.object.to_string(),
        session.member.to_string(),
        messages,
        bytes(session.up.bytes.saturating_add(session.down.bytes)),
        state,
    ]
}

/// The text, cut to a number of characters, and nothing in it that moves a cursor.
fn cut(text: &str, most: usize) -> String {
    let plain = |c: char| if c.is_control() { '?' } else { c };
    if text.chars().count() <= most {
        return text.chars().map(plain).collect();
    }
    text.chars().map(plain).take(most - 1).chain(['…']).collect()
}

/// The two largest units: `3h12m`.
fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// `512`, `1.5K`, `20M`.
fn bytes(count: u64) -> String {
    let (mut value, mut unit) = (count as f64, 0);
    while value >= 999.5 && unit < 4 {
        value /= 1_024.0;
        unit += 1;
    }
    match unit {
        0 => count.to_string(),
        _ => format!("{value:.*}{}", usize::from(value < 9.95), ["", "K", "M", "G", "T"][unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: u64, age: f64, object: &str) -> ListedSession<'static> {
        let value = serde_json::json!({
            "id": id, "object": object, "protocol": if id == 10 { "SPDY/3.1" } else { "websocket" }, "field": "", "route": "", "pool": "", "member": "10.0.0.7:8080", "pod": null,
            "client": "192.0.2.7", "port": 80, "host": "", "path": "", "version": "", "user_agent": "",
            "subprotocol": "", "request_id": "", "opened": "", "age_seconds": age, "silence_seconds": 1.9,
            "state": "open",
            "up": {"bytes": 1000, "text": 1, "binary": 2, "fragmented": 3, "pings": 9, "pongs": 9, "close": null},
            "down": {"bytes": 536, "text": 4, "binary": 0, "fragmented": 0, "pings": 9, "pongs": 9, "close": null},
        });
        serde_json::from_value(value).expect("a session")
    }

    #[test]
    fn columns_are_aligned_and_the_oldest_is_first() {
        let sessions = [session(9, 3.0, "Ingress default/site"), session(10, 90_000.0, "Ingress default/s")];
        assert_eq!(
            table(&sessions),
            "\
ID   AGE  IDLE  CLIENT     PROTOCOL   OBJECT                MEMBER         UP/DOWN  BYTES  STATE
10  1d1h    1s  192.0.2.7  SPDY/3.1   Ingress default/s     10.0.0.7:8080        -   1.5K  open
 9    3s    1s  192.0.2.7  websocket  Ingress default/site  10.0.0.7:8080      6/4   1.5K  open
"
        );
    }

    #[test]
    fn long_values_are_cut_and_controls_are_not_printed() {
        let long = table(&[session(1, 0.0, &"é\x1b".repeat(100))]);
        assert!(long.lines().all(|line| line.chars().count() < 150) && !long.contains('\x1b') && long.contains('…'));
    }

    #[test]
    fn numbers_are_short() {
        for (seconds, expected) in [(0.4, "0s"), (61.0, "1m1s"), (11_520.0, "3h12m"), (f64::MAX, "213503982334601d7h")]
        {
            assert_eq!(duration(seconds), expected);
        }
        for (count, expected) in [(0, "0"), (999, "999"), (1_000, "1.0K"), (20 << 20, "20M"), (u64::MAX, "16777216T")] {
            assert_eq!(bytes(count), expected);
        }
    }
}
