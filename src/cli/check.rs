//! `steadygate check DIR`: everything that would be refused, as a compiler would say it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::model::Kind;
use crate::report::{Report, Severity, is_unprintable, printable};
use crate::source::directory::{read, read_file};
use crate::source::{Input, Location, showable_lines};

/// How much of a long source line is shown, in characters.
const WIDTH: usize = 120;

/// Checks the manifests of `dir`. `translate` gives what is wrong with the objects in view of each other.
/// Gives the exit code: 0 where nothing is refused, 1 where something is, 2 where the directory can't be read.
pub fn run(dir: &Path, translate: impl FnOnce(&Input) -> Vec<Report>, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let input = match read(dir) {
        Ok(input) => input,
        Err(error) => {
            // Where not even this can be written there is nobody to tell.
            drop(writeln!(err, "error: {}", printable(&format!("{:#}", anyhow::Error::from(error)))));
            return 2;
        }
    };
    let mut reports: BTreeSet<Report> = input.reports.iter().cloned().collect();
    reports.extend(translate(&input));
    let text = all(dir, &input, &reports);
    if out.write_all(text.as_bytes()).is_err() {
        return 2;
    }
    u8::from(reports.iter().any(|report| report.severity == Severity::Error))
}

/// Every report, in the order of files and lines, and a last line that counts them.
fn all(dir: &Path, input: &Input, reports: &BTreeSet<Report>) -> String {
    let mut locator = input.origins.locator();
    let mut located: Vec<_> = reports.iter().map(|report| (locator.locate(report), report)).collect();
    located.sort_by_key(|(location, _)| {
        location.as_ref().map_or((true, PathBuf::new(), 0, 0), |l| (false, l.file.clone(), l.line, l.column))
    });
    let mut texts = Texts { dir, read: BTreeMap::new() };
    let mut out = String::new();
    for (location, report) in located {
        let line = location.as_ref().and_then(|location| texts.line(report, location));
        out.push_str(&render(report, location.as_ref(), line));
        out.push('\n');
    }
    let of = |severity| reports.iter().filter(|report| report.severity == severity).count();
    let mut objects: BTreeSet<_> = input.origins.objects().collect();
    objects.extend(input.reports.iter().map(|report| report.object.clone()).filter(|object| object.kind != Kind::File));
    let _infallible = writeln!(
        out,
        "{}, {} in {} of {}",
        count(of(Severity::Error), "error"),
        count(of(Severity::Warning), "warning"),
        count(objects.len(), "object"),
        count(input.origins.files(), "file"),
    );
    out
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The lines of files that messages point into, as far as they may be shown.
struct Texts<'a> {
    dir: &'a Path,
    read: BTreeMap<PathBuf, BTreeMap<usize, String>>,
}

impl Texts<'_> {
    /// The line that a report points at; none where it may be part of a Secret.
    fn line(&mut self, report: &Report, location: &Location) -> Option<&str> {
        // What is said of a file as a whole is about something that could not be told to be no Secret.
        if matches!(report.object.kind, Kind::Secret | Kind::File) {
            return None;
        }
        if !self.read.contains_key(&location.file) {
            let bytes = read_file(&self.dir.join(&location.file)).unwrap_or_default();
            self.read.insert(location.file.clone(), showable_lines(&bytes));
        }
        self.read.get(&location.file)?.get(&location.line).map(String::as_str)
    }
}

/// One report, as a compiler would print it; `source_line` is the line that `location` points into, without
/// which none is shown.
pub fn render(report: &Report, location: Option<&Location>, source_line: Option<&str>) -> String {
    let mut out = format!("{}[{}]: {}", report.severity, report.reason, printable(&report.object.to_string()));
    // What is said of a file has the place as its field.
    if !report.field.is_empty() && (report.object.kind != Kind::File || location.is_none()) {
        let _infallible = write!(out, ": {}", printable(&report.field));
    }
    out.push('\n');
    let number = location.map(|location| location.line.to_string()).unwrap_or_default();
    let margin = " ".repeat(number.len().max(2));
    if let Some(location) = location {
        let Location { file, document, line, column } = location;
        let file = file.to_string_lossy();
        let _infallible = writeln!(out, "{margin}--> {}:{line}:{column} (document {document})", printable(&file));
        if let Some((text, before, width)) = source_line.and_then(|text| excerpt(text, *column)) {
            let (space, mark) = (" ".repeat(before), "^".repeat(width));
            let _infallible = writeln!(out, "{margin} |\n{number:>2} | {text}\n{margin} | {space}{mark}");
        }
    }
    let _infallible = writeln!(out, "{margin} = {}", printable(&report.message));
    if !report.remedy.is_empty() {
        let _infallible = writeln!(out, "{margin} = help: {}", printable(&report.remedy));
    }
    out
}

/// The part of a line around a column (from 1): its text, what stands before the mark, and the mark's width.
fn excerpt(line: &str, column: usize) -> Option<(String, usize, usize)> {
    let at = column.checked_sub(1)?;
    let start = if at < WIDTH * 2 / 3 { 0 } else { at - WIDTH / 3 };
    // One character for each, so that the mark stands below its text.
    let plain = |c: char| if is_unprintable(c) { ' ' } else { c };
    let shown: String = line.trim_end().chars().map(plain).skip(start).take(WIDTH).collect();
    let rest: Vec<char> = shown.chars().skip(at - start).collect();
    Some((shown, at - start, width(&rest).max(1)))
}

/// How many characters the word or quoted text takes with which `rest` begins.
fn width(rest: &[char]) -> usize {
    if let Some(quote) = rest.first().filter(|c| matches!(c, '"' | '\'')) {
        let close = rest.iter().skip(1).position(|c| c == quote);
        return close.map_or(rest.len(), |at| at + 2);
    }
    let ends = |at: usize| match rest[at] {
        ',' | ']' | '}' => true,
        ':' => rest.get(at + 1).is_none_or(|next| *next == ' '),
        ' ' => rest.get(at + 1).is_none_or(|next| matches!(next, '#' | ' ')),
        _ => false,
    };
    (0..rest.len()).find(|at| ends(*at)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, ObjectRef};
    use crate::report::Reason;

    fn report() -> Report {
        Report {
            object: ObjectRef::new(Kind::Ingress, "default", "site"),
            field: "spec.rules[0].http.paths[0].backend.service.name".to_owned(),
            reason: Reason::ServiceNotFound,
            severity: Severity::Error,
            message: "there is no Service \"wbe\" in namespace \"default\"".to_owned(),
            remedy: "create it, or name one that exists: \"web\"".to_owned(),
        }
    }

    #[test]
    fn a_report_is_printed_as_a_compiler_would() {
        let location = Location { file: "site.yaml".into(), document: 2, line: 14, column: 21 };
        assert_eq!(
            render(&report(), Some(&location), Some("              name: wbe # the site")),
            "\
error[ServiceNotFound]: Ingress default/site: spec.rules[0].http.paths[0].backend.service.name
  --> site.yaml:14:21 (document 2)
   |
14 |               name: wbe # the site
   |                     ^^^
   = there is no Service \"wbe\" in namespace \"default\"
   = help: create it, or name one that exists: \"web\"
"
        );
    }

    #[test]
    fn a_report_is_not_able_to_look_like_another() {
        let object = ObjectRef::new(Kind::Ingress, "default", "\u{202e}etis");
        let message = "\"a\nerror[NoEndpoints]: \u{9b}31m\" is no host".to_owned();
        let location = Location { file: "a\u{1b}[2J.yaml".into(), document: 1, line: 1, column: 1 };
        let text = render(&Report { object, message, ..report() }, Some(&location), Some("\u{2066}a\u{9b}"));
        assert_eq!(text.lines().count(), render(&report(), Some(&location), Some("a")).lines().count());
        assert!(!text.lines().any(|line| line.chars().any(is_unprintable)), "{text:?}");
    }

    #[test]
    fn without_a_place_only_the_message_is_printed() {
        assert_eq!(
            render(&Report { remedy: String::new(), ..report() }, None, None).lines().count(),
            2,
            "no place, no help"
        );
    }

    #[test]
    fn long_lines_and_odd_columns_are_cut_to_what_matters() {
        let line = format!("{}\twrong: 'x y', {}", "a".repeat(500), "b".repeat(500));
        let (text, before, width) = excerpt(&line, 509).expect("shown");
        assert_eq!(text.chars().skip(before).take(width).collect::<String>(), "'x y'");
        assert!(text.chars().count() <= WIDTH && !text.contains('\t'));
        assert_eq!(excerpt("short", 80).expect("shown").2, 1);
        assert_eq!(excerpt("short", 0), None);
        assert_eq!(excerpt("é: [a, b]", 5).expect("shown"), ("é: [a, b]".to_owned(), 4, 1));
    }
}
