//! The reader: recursive descent over one text.

mod page;

use std::collections::BTreeSet;

pub(crate) use page::COLLECTIONS;

use super::{Document, MAX_DEPTH, MAX_VALUES, Member, Node, NodeKind, Position, SyntaxError};

/// Reads a text: one value; or the members of an object without its braces; or several of either, one after the other, with or without
/// commas; or a page of prose that holds such fragments. Several values become a list, and bare members one object.
///
/// # Errors
/// It is none of these; the error has the first place that does not fit.
pub(crate) fn read(text: &str) -> Result<Document, SyntaxError> {
    let mut reader = Reader::new(text);
    let root = match reader.fragments() {
        Ok(root) => root,
        Err(error) => {
            reader = Reader::new(text);
            page::fragments(&mut reader)?.ok_or(error)?
        }
    };
    Ok(Document { root, duplicates: reader.duplicates })
}

/// A text and how far it has been read.
pub(super) struct Reader<'a> {
    rest: &'a str,
    position: Position,
    depth: usize,
    values: usize,
    duplicates: Vec<(String, Position)>,
}

type Read<T> = Result<T, SyntaxError>;

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let position = Position { line: 1, column: 1 };
        Self { rest: text, position, depth: 0, values: 0, duplicates: Vec::new() }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    fn fragments(&mut self) -> Read<Node> {
        let (mut roots, mut members) = (Vec::new(), Vec::new());
        self.skip_blank()?;
        let position = self.position;
        while let Some(next) = self.rest.chars().next() {
            match next {
                '"' => members.push(self.member()?),
                ',' => self.advance(1),
                _ => roots.push(self.value()?),
            }
            self.skip_blank()?;
        }
        if !members.is_empty() {
            roots.insert(0, Node { position, kind: NodeKind::Object(members) });
        }
        match roots.len() {
            0 => self.fail("there is nothing in it"),
            1 => Ok(roots.remove(0)),
            _ => Ok(Node { position, kind: NodeKind::List(roots) }),
        }
    }

    /// A name, a colon and a value.
    pub(super) fn member(&mut self) -> Read<Member> {
        let position = self.position;
        let name = self.text()?;
        self.skip_blank()?;
        self.expect(':', "a ':' is expected after the name")?;
        self.skip_blank()?;
        Ok(Member { name, position, value: self.value()? })
    }

    fn value(&mut self) -> Read<Node> {
        let position = self.position;
        self.values += 1;
        if self.values > MAX_VALUES {
            return self.fail(format!("there are more than {MAX_VALUES} values, which no template has"));
        }
        let kind = match self.rest.chars().next() {
            Some('{') => self.nested(Self::object)?,
            Some('[') => self.nested(Self::list)?,
            Some('"') => NodeKind::Text(self.text()?),
            Some('-' | '0'..='9') => self.number()?,
            Some(c) if c.is_ascii_alphabetic() => self.word()?,
            Some(c) => return self.fail(format!("a value is expected, and this is {c:?}")),
            None => return self.fail("a value is expected, and the text ends"),
        };
        Ok(Node { position, kind })
    }

    fn nested(&mut self, inner: impl FnOnce(&mut Self) -> Read<NodeKind>) -> Read<NodeKind> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail(format!("values lie more than {MAX_DEPTH} deep in each other"));
        }
        self.advance(1);
        let kind = inner(self)?;
        self.depth -= 1;
        Ok(kind)
    }

    fn object(&mut self) -> Read<NodeKind> {
        let mut members: Vec<Member> = Vec::new();
        let mut names = BTreeSet::new();
        while !self.ends('}', members.is_empty())? {
            if !self.rest.starts_with('"') {
                return self.fail("a name in double quotes, or '}', is expected");
            }
            let member = self.member()?;
            if !names.insert(member.name.to_ascii_lowercase()) {
                self.duplicates.push((member.name.clone(), member.position));
            }
            members.push(member);
        }
        Ok(NodeKind::Object(members))
    }

    fn list(&mut self) -> Read<NodeKind> {
        let mut items = Vec::new();
        while !self.ends(']', items.is_empty())? {
            items.push(self.value()?);
        }
        Ok(NodeKind::List(items))
    }

    /// Whether an object or list ends here. If not, what follows is its next part.
    fn ends(&mut self, end: char, is_first: bool) -> Read<bool> {
        self.skip_blank()?;
        let mut separated = is_first;
        while self.rest.starts_with(',') {
            separated = true;
            self.advance(1);
            self.skip_blank()?;
        }
        if self.rest.starts_with(end) {
            self.advance(1);
            return Ok(true);
        }
        match self.rest.chars().next() {
            None => self.fail(format!("{end:?} is expected, and the text ends")),
            Some(_) if !separated => self.fail(format!("a ',' or {end:?} is expected")),
            Some(_) => Ok(false),
        }
    }

    fn text(&mut self) -> Read<String> {
        let start = self.position;
        self.advance(1);
        let mut text = String::new();
        loop {
            // Line breaks are taken as they are: ARM has texts of several lines.
            let plain = self.rest.find(['"', '\\']).unwrap_or(self.rest.len());
            text.push_str(&self.rest[..plain]);
            self.advance(plain);
            match self.rest.chars().next() {
                Some('"') => {
                    self.advance(1);
                    return Ok(text);
                }
                Some(_) => text.push(self.escape()?),
                None => {
                    let message = "the text that begins here has no closing quote".to_owned();
                    return Err(SyntaxError { position: start, message });
                }
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        let (length, character) = match self.rest.as_bytes().get(1) {
            Some(b'"') => (2, '"'),
            Some(b'\\') => (2, '\\'),
            Some(b'/') => (2, '/'),
            Some(b'b') => (2, '\u{8}'),
            Some(b'f') => (2, '\u{c}'),
            Some(b'n') => (2, '\n'),
            Some(b'r') => (2, '\r'),
            Some(b't') => (2, '\t'),
            Some(b'u') => match self.unicode() {
                Some(found) => found,
                None => return self.fail("four hexadecimal digits are expected after \\u"),
            },
            _ => return self.fail("this escape is none of JSON; write \\\\ for a backslash"),
        };
        self.advance(length);
        Ok(character)
    }

    /// The length of a `\u` escape, and its character: two escapes may be one (a surrogate pair).
    fn unicode(&self) -> Option<(usize, char)> {
        let unit = |at: usize| {
            let digits = self.rest.get(at..at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
            u16::from_str_radix(digits, 16).ok()
        };
        let first = unit(2)?;
        let second = self.rest.get(6..8).filter(|escape| *escape == "\\u").and_then(|_| unit(8));
        let mut decoded = char::decode_utf16([first].into_iter().chain(second));
        match decoded.next()? {
            Ok(character) => Some((if character.len_utf16() == 2 { 12 } else { 6 }, character)),
            Err(_) => Some((6, char::REPLACEMENT_CHARACTER)),
        }
    }

    fn number(&mut self) -> Read<NodeKind> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '+' | '.'));
        let digits = &self.rest[..end.unwrap_or(self.rest.len())];
        match serde_json::from_str(digits) {
            Ok(number) => {
                self.advance(digits.len());
                Ok(NodeKind::Number(number))
            }
            Err(_) => self.fail("this is no number; a text stands in double quotes"),
        }
    }

    fn word(&mut self) -> Read<NodeKind> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric());
        let word = &self.rest[..end.unwrap_or(self.rest.len())];
        let kind = match word.to_ascii_lowercase().as_str() {
            "true" => NodeKind::Bool(true),
            "false" => NodeKind::Bool(false),
            "null" => NodeKind::Null,
            _ => return self.fail("a value is expected; a text stands in double quotes"),
        };
        self.advance(word.len());
        Ok(kind)
    }

    /// Skips white space and comments, and the `...` by which a page says that something is left out.
    fn skip_blank(&mut self) -> Read<()> {
        loop {
            let blank =
                self.rest.len() - self.rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').len();
            self.advance(blank);
            if self.rest.starts_with("//") {
                self.advance(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                match self.rest.find("*/") {
                    Some(end) => self.advance(end + 2),
                    None => return self.fail("the comment that begins here has no end"),
                }
            } else if self.rest.starts_with("...") {
                self.advance(3);
            } else if blank == 0 {
                return Ok(());
            }
        }
    }

    fn expect(&mut self, wanted: char, message: &str) -> Read<()> {
        if !self.rest.starts_with(wanted) {
            return self.fail(message);
        }
        self.advance(wanted.len_utf8());
        Ok(())
    }

    /// Takes this many bytes as read.
    pub(super) fn advance(&mut self, bytes: usize) {
        let (read, rest) = self.rest.split_at(bytes);
        let lines = read.bytes().filter(|byte| *byte == b'\n').count();
        let last = read.rsplit('\n').next().unwrap_or(read);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let column = if lines > 0 { 1 } else { self.position.column };
        self.position.line = self.position.line.saturating_add(count(lines));
        self.position.column = column.saturating_add(count(last.chars().count()));
        self.rest = rest;
    }

    pub(super) fn fail<T>(&self, message: impl Into<String>) -> Read<T> {
        Err(SyntaxError { position: self.position, message: message.into() })
    }

    pub(super) fn position(&self) -> Position {
        self.position
    }
}
