//! Reads the tables of `docs/architecture.md` that say what a part of the code owns and what it may use.
//!
//! The first column has names in backticks, the last one names divided by commas (what stands in brackets explains), or
//! `all`, or `nothing …`.

use std::fs;
use std::path::Path;

/// Rows, of which each is about one part of the code or several.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
}

pub(super) struct Row {
    /// Rooms; or folders and files of a room, as `tls` or `tls/stream`.
    pub(super) names: Vec<String>,
    pub(super) may_use: MayUse,
}

pub(super) enum MayUse {
    All,
    These(Vec<String>),
}

impl Table {
    /// The row about a file: of several names that fit, the longest counts.
    pub(super) fn row_of(&self, file: &str) -> Option<usize> {
        let fits = |name: &str| file.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let names =
            self.rows.iter().enumerate().flat_map(|(index, row)| row.names.iter().map(move |name| (index, name)));
        names.filter(|(_, name)| fits(name)).max_by_key(|(_, name)| name.len()).map(|(index, _)| index)
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
        if let MayUse::These(names) = &row.may_use
            && let Some(unknown) = names.iter().find(|name| !named.contains(name))
        {
            return Err(format!("{unknown:?} may be used, but no row is about it"));
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
        nothing if nothing.is_empty() || nothing.starts_with("nothing") => MayUse::These(Vec::new()),
        list => MayUse::These(list.split(',').map(name).collect()),
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
        | `a`, `b/` | x | `c` (only D, E), `a.rs` |\n| `c/d`, `c` | y | nothing of ours |\n| `e` | z | all |\n\n## Next\n";
    let columns = ["room", "owns", "may use"];
    let Ok(Table { rows }) = read(page, "Rooms", columns) else { panic!("a table") };
    assert_eq!(rows[0].names, ["a", "b"]);
    assert!(matches!(&rows[0].may_use, MayUse::These(names) if *names == ["c", "a"]));
    assert!(matches!(&rows[1].may_use, MayUse::These(names) if names.is_empty()));
    assert!(matches!(&rows[2].may_use, MayUse::All));
    let table = Table { rows };
    assert_eq!(["a", "b/x", "bx", "c/d/e"].map(|file| table.row_of(file)), [Some(0), Some(0), None, Some(1)]);
    assert!(read(page, "Next", columns).is_err());
    assert!(read(&page.replace("`c/d`, `c`", "`d`"), "Rooms", columns).is_err(), "nothing is about c any more");
}
