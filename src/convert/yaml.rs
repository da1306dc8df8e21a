//! The output: YAML with comments. What is unknown stands as a mapping, `{unknown: …}`, which no field of any object takes.

use std::fmt::Write as _;

/// A value of the output.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Yaml {
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Self>),
    Map(Vec<YamlField>),
    /// Something to fill in: why it is not known.
    Unknown(String),
}

/// A field of a mapping, with what is said beside it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct YamlField {
    pub(crate) name: String,
    pub(crate) value: Yaml,
    /// At the end of its line.
    pub(crate) comment: String,
    /// Lines of comments below its value.
    pub(crate) skeleton: Vec<String>,
}

impl YamlField {
    pub(crate) fn new(name: impl Into<String>, value: Yaml) -> Self {
        Self { name: name.into(), value, comment: String::new(), skeleton: Vec::new() }
    }

    pub(crate) fn commented(self, comment: impl Into<String>) -> Self {
        Self { comment: comment.into(), ..self }
    }
}

impl Yaml {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn map<const N: usize>(fields: [(&str, Self); N]) -> Self {
        Self::Map(fields.into_iter().map(|(name, value)| YamlField::new(name, value)).collect())
    }

    /// A field of a mapping.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        let Self::Map(fields) = self else { return None };
        fields.iter().find(|field| field.name == name).map(|field| &field.value)
    }

    /// Its items, if it is a list.
    pub(crate) fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// Its text, if it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Whether something in it is to be filled in.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Unknown(_) => true,
            Self::List(items) => items.iter().any(Self::is_open),
            Self::Map(fields) => fields.iter().any(|field| field.value.is_open()),
            Self::Bool(_) | Self::Number(_) | Self::Text(_) => false,
        }
    }

    /// A document.
    pub(crate) fn document(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out
    }

    /// Writes it in lines of its own.
    fn write(&self, out: &mut String, indent: usize) {
        match self {
            Self::Map(fields) if !fields.is_empty() => fields.iter().for_each(|field| field.write(out, indent)),
            Self::List(items) => {
                for item in items {
                    let mut inner = String::new();
                    item.write(&mut inner, indent + 2);
                    // The dash takes the place of the first line's indentation.
                    out.push_str(&" ".repeat(indent));
                    out.push_str("- ");
                    out.push_str(inner.trim_start());
                }
            }
            scalar => {
                let _infallible = writeln!(out, "{}{}", " ".repeat(indent), scalar.inline());
            }
        }
    }

    /// A value on the line of its name.
    fn inline(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => scalar(text),
            Self::Unknown(why) => format!("{{unknown: {}}}", quoted(why)),
            Self::List(items) => format!("[{}]", items.iter().map(Self::inline).collect::<Vec<_>>().join(", ")),
            Self::Map(fields) => {
                let fields: Vec<_> =
                    fields.iter().map(|field| format!("{}: {}", scalar(&field.name), field.value.inline())).collect();
                format!("{{{}}}", fields.join(", "))
            }
        }
    }

    /// Whether it is short and flat enough for the line of its name.
    fn is_inline(&self) -> bool {
        const WIDTH: usize = 100;
        let flat = match self {
            Self::List(items) => items.iter().all(|item| !matches!(item, Self::List(_) | Self::Map(_))),
            Self::Map(fields) => fields.iter().all(|field| {
                field.comment.is_empty()
                    && field.skeleton.is_empty()
                    && !matches!(field.value, Self::List(_) | Self::Map(_) | Self::Unknown(_))
            }),
            _ => return true,
        };
        flat && self.inline().len() <= WIDTH
    }
}

impl YamlField {
    fn write(&self, out: &mut String, indent: usize) {
        let space = " ".repeat(indent);
        let comment = if self.comment.is_empty() { String::new() } else { format!("  # {}", one_line(&self.comment)) };
        let name = scalar(&self.name);
        match &self.value {
            Yaml::Text(text) if text.contains('\n') && is_block(text) => {
                let _infallible = writeln!(out, "{space}{name}: |{comment}");
                for line in text.lines() {
                    let _infallible = writeln!(out, "{space}  {line}");
                }
            }
            value if value.is_inline() && (self.skeleton.is_empty() || value.items().is_empty()) => {
                // A list that has a skeleton alone is left to be begun by whoever fills it in.
                let value = if self.skeleton.is_empty() { value.inline() } else { String::new() };
                let _infallible = writeln!(out, "{}{comment}", format!("{space}{name}: {value}").trim_end());
            }
            value => {
                let _infallible = writeln!(out, "{space}{name}:{comment}");
                let inner = if matches!(value, Yaml::List(_)) { indent } else { indent + 2 };
                value.write(out, inner);
            }
        }
        for line in &self.skeleton {
            let _infallible = writeln!(out, "{space}# {}", one_line(line));
        }
    }
}

/// Whether a text can stand as a block: every line begins with a visible character, and has no control characters.
fn is_block(text: &str) -> bool {
    text.ends_with('\n')
        && text.lines().all(|line| {
            line.chars().all(|c| c == ' ' || c.is_ascii_graphic()) && !line.starts_with(' ') && !line.is_empty()
        })
}

/// A text as a scalar: plain where no reader can take it for anything else, otherwise in quotes.
pub(super) fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(plain)
        && !words.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// A text in double quotes, which YAML reads as JSON does.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() || crate::report::is_unprintable(c) => {
                let _infallible = write!(out, "\\U{:08x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn one_line(text: &str) -> String {
    crate::report::printable(&text.replace(['\n', '\r'], " ")).to_string()
}
