//! Reads the tables of `docs/architecture.md` that say what a part of the code owns and what it may use.
//!
//! The first column has names in backticks. The last one has names divided by commas (words in brackets explain them), or
//! `all`, `nothing …`, `all above` (the rows above in the table), or `all above but NAME`.

use std::fs;
use std::path::Path;
use std::slice;

/// Rows, of which each is about one part of the code or several.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
}

pub(super) struct Row {
    /// Rooms; or folders and files of a room, as `tls` or `tls/stream`.
    pub(super) names: Vec<String>,
    pub(super) may_use: MayUse,
}

/// One name of a row.
pub(super) struct Part<'a> {
    row: usize,
    name: &'a str,
}

pub(super) enum MayUse {
    All,
    /// The rows above, without those of a name.
    AllAbove {
        but: Option<String>,
    },
    These(Vec<String>),
}

impl Table {
    /// Whether one part may use another. Names in one row may use each other.
    pub(super) fn allows(&self, user: &Part<'_>, used: &Part<'_>) -> bool {
        let allowed = match &self.rows[user.row].may_use {
            MayUse::All => true,
            MayUse::AllAbove { but } => used.row < user.row && but.as_deref() != Some(used.name),
            MayUse::These(names) => names.iter().any(|name| name == used.name),
        };
        allowed || user.row == used.row
    }

    /// The part that a file belongs to: of several names that fit, the longest counts.
    pub(super) fn part_of(&self, file: &str) -> Option<Part<'_>> {
        let fits = |name: &str| file.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let rows = self.rows.iter().enumerate();
        let parts = rows.flat_map(|(row, of)| of.names.iter().map(move |name| Part { row, name }));
        parts.filter(|part| fits(part.name)).max_by_key(|part| part.name.len())
    }
}

/// The table with these columns under a heading.
pub(super) fn table(heading: &str, columns: [&str; 3]) -> Table {
    read(&page(), heading, columns).unwrap_or_else(|problem| panic!("docs/architecture.md, {heading:?}: {problem}"))
}

/// The rooms that have a section "Inside `room`".
pub(super) fn rooms_with_folders() -> Vec<String> {
    let page = page();
    let rooms = page.lines().filter_map(|line| line.strip_prefix("### Inside `")?.strip_suffix('`'));
    rooms.map(str::to_owned).collect()
}

fn page() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    fs::read_to_string(file).expect("the page of rooms")
}

fn read(page: &str, heading: &str, columns: [&str; 3]) -> Result<Table, String> {
    let is_heading = |line: &str| line.strip_prefix('#').is_some_and(|rest| rest.trim_matches('#').trim() == heading);
    let mut lines = page.lines().skip_while(|line| !is_heading(line));
    lines.next().ok_or("there is no such heading")?;
    let mut lines = lines.take_while(|line| !line.starts_with('#')).skip_while(|line| cells(line) != columns);
    lines.next().ok_or_else(|| format!("there is no table with the columns {columns:?}"))?;
    let rows = lines.skip(1).take_while(|line| line.starts_with('|')).map(row).collect::<Result<Vec<_>, _>>()?;
    let named: Vec<_> = rows.iter().flat_map(|row| &row.names).collect();
    for row in &rows {
        let mentioned = match &row.may_use {
            MayUse::All | MayUse::AllAbove { but: None } => &[],
            MayUse::AllAbove { but: Some(name) } => slice::from_ref(name),
            MayUse::These(names) => &names[..],
        };
        if let Some(unknown) = mentioned.iter().find(|name| !named.contains(name)) {
            return Err(format!("{unknown:?} is mentioned, but no row is about it"));
        }
    }
    Ok(Table { rows })
}

fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_matches('|').split('|').map(str::trim).collect()
}

fn row(line: &str) -> Result<Row, String> {
    let cells = cells(line);
    let [names, _, may_use] = cells[..] else { return Err(format!("not three columns: {line}")) };
    let names: Vec<_> = names.split('`').skip(1).step_by(2).map(name).collect();
    if names.is_empty() {
        return Err(format!("no name in backticks: {line}"));
    }
    let may_use = without_brackets(may_use);
    let may_use = match may_use.trim() {
        "all" => MayUse::All,
        "all above" => MayUse::AllAbove { but: None },
        nothing if nothing.is_empty() || nothing.starts_with("nothing") => MayUse::These(Vec::new()),
        list => match list.strip_prefix("all above but ") {
            Some(but) => MayUse::AllAbove { but: Some(name(but)) },
            None => MayUse::These(list.split(',').map(name).collect()),
        },
    };
    Ok(Row { names, may_use })
}

/// `tls/` and `tls.rs` are `tls`.
fn name(text: &str) -> String {
    let text = text.trim().trim_matches('`');
    text.strip_suffix(".rs").unwrap_or(text).trim_end_matches('/').to_owned()
}

fn without_brackets(text: &str) -> String {
    let mut depth = 0;
    let outside = text.chars().filter(|c| {
        depth += i32::from(*c == '(');
        let keep = depth == 0;
        depth -= i32::from(*c == ')');
        keep
    });
    outside.collect()
}

#[test]
fn a_row_has_names_and_what_they_may_use() {
    let page = "## Rooms\n\ntext\n\n| room | owns | may use |\n| --- | --- | --- |\n\
        | `a`, `b/` | x | `c` (only D, E), `a.rs` |\n| `c/d`, `c` | y | nothing of ours |\n| `e` | z | all |\n\
        | `f` | z | all above but `c` |\n\n## Next\n";
    let columns = ["room", "owns", "may use"];
    let Ok(Table { rows }) = read(page, "Rooms", columns) else { panic!("a table") };
    assert_eq!(rows[0].names, ["a", "b"]);
    let table = Table { rows };
    let part = |file| table.part_of(file).expect("a part");
    assert_eq!(["a", "b/x", "c/d/e", "c/e"].map(|file| part(file).name), ["a", "b", "c/d", "c"]);
    assert!(table.part_of("bx").is_none());
    let allowed = |user| ["a", "b", "c", "c/d", "e"].map(|used| table.allows(&part(user), &part(used)));
    assert_eq!(allowed("b"), [true, true, true, false, false]);
    assert_eq!(allowed("c"), [false, false, true, true, false]);
    assert_eq!(allowed("e"), [true; 5]);
    assert_eq!(allowed("f"), [true, true, false, true, true]);
    assert!(read(page, "Next", columns).is_err());
    assert!(read(&page.replace("`c/d`, `c`", "`d`"), "Rooms", columns).is_err(), "nothing is about c any more");
}
