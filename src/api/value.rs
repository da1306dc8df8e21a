//! Kinds of values that settings take: the range of each, how it is written in an annotation and in a field, and its
//! line on the reference pages. Each range stands once, in the type of its setting: `Seconds<1, 3600>`.

use std::fmt;
use std::time::Duration;

use super::read;

/// Seconds of a day.
pub const DAY: u32 = 24 * 60 * 60;
/// Seconds of thirty days.
pub const MONTH: u32 = 30 * DAY;

/// Time for a backend's answer.
pub type RequestTimeout = Seconds<1, DAY>;
/// Time between two probes, and time for a probe's answer.
pub type ProbeTime = Seconds<1, DAY>;
/// Failures in a row that mark a member down.
pub type ProbeThreshold = Number<1, 20>;

/// Time by which the clocks of a token's issuer and of the gateway may differ.
pub type ClockSkew = Seconds<0, 300>;

/// A kind of value.
pub trait ValueKind {
    /// A value as the program uses it.
    type Value;
    /// A value as a field of an ApplicationGateway has it.
    type Field;
    /// The values that are allowed.
    const VALUES: AllowedValues;

    /// Reads an annotation. An error says what was expected.
    fn from_text(text: &str) -> Result<Self::Value, String>;

    /// Reads a field. An error is the number that is outside the range.
    fn from_field(field: Self::Field) -> Result<Self::Value, i64>;
}

/// Values that are allowed, both ends of a range included. Its text is that of the reference pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowedValues {
    /// Whole seconds.
    Seconds(u64, u64),
    /// Whole numbers.
    Numbers(u64, u64),
    /// Bytes; an annotation may write them with a unit.
    Bytes(u64, u64),
    /// Anything else, in words: `true or false`.
    Words(&'static str),
}

impl AllowedValues {
    /// Smallest and largest number.
    pub const fn range(self) -> Option<(u64, u64)> {
        match self {
            Self::Seconds(min, max) | Self::Numbers(min, max) | Self::Bytes(min, max) => Some((min, max)),
            Self::Words(_) => None,
        }
    }

    /// Smallest number, for the schema.
    pub(super) fn min(self) -> Option<u64> {
        self.range().map(|(min, _)| min)
    }

    /// Largest number, for the schema.
    pub(super) fn max(self) -> Option<u64> {
        self.range().map(|(_, max)| max)
    }
}

impl fmt::Display for AllowedValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(min, max) => write!(f, "seconds, {min} to {max}"),
            Self::Numbers(min, max) => write!(f, "{min} to {max}"),
            Self::Bytes(min, max) => write!(f, "bytes, {min} to {max}, or with k, m, g: 64k"),
            Self::Words(words) => f.write_str(words),
        }
    }
}

/// What stands where a setting is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    /// A number, in the unit of the setting.
    Amount(u64),
    /// In words; empty where there is none.
    Words(&'static str),
}

impl fmt::Display for DefaultValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Amount(number) => write!(f, "{number}"),
            Self::Words(words) => f.write_str(words),
        }
    }
}

/// Text of a field in the schema of ApplicationGateway: its meaning, values and default.
pub(super) fn description(meaning: &str, values: AllowedValues, default: DefaultValue) -> String {
    let meaning = meaning.trim();
    match values {
        AllowedValues::Seconds(min, max) => format!("{meaning} Seconds, {min}–{max}. Default: {default}."),
        AllowedValues::Numbers(min, max) => format!("{meaning} A number, {min}–{max}. Default: {default}."),
        AllowedValues::Bytes(min, max) => format!("{meaning} Bytes, {min}–{max}. Default: {default}."),
        AllowedValues::Words(_) => format!("{meaning} Default: {default}."),
    }
}

/// Whole seconds from `MIN` to `MAX`.
#[derive(Debug)]
pub struct Seconds<const MIN: u32, const MAX: u32>;

impl<const MIN: u32, const MAX: u32> ValueKind for Seconds<MIN, MAX> {
    type Value = Duration;
    type Field = i32;
    const VALUES: AllowedValues = AllowedValues::Seconds(MIN as u64, MAX as u64);

    fn from_text(text: &str) -> Result<Duration, String> {
        read::seconds(text, MIN, MAX)
    }

    fn from_field(field: i32) -> Result<Duration, i64> {
        Number::<MIN, MAX>::from_field(field).map(|seconds| Duration::from_secs(seconds.into()))
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug)]
pub struct Number<const MIN: u32, const MAX: u32>;

impl<const MIN: u32, const MAX: u32> ValueKind for Number<MIN, MAX> {
    type Value = u32;
    type Field = i32;
    const VALUES: AllowedValues = AllowedValues::Numbers(MIN as u64, MAX as u64);

    fn from_text(text: &str) -> Result<u32, String> {
        read::number(text, MIN, MAX)
    }

    fn from_field(field: i32) -> Result<u32, i64> {
        u32::try_from(field).ok().filter(|number| (MIN..=MAX).contains(number)).ok_or(field.into())
    }
}

/// Bytes from `MIN` to `MAX`.
#[derive(Debug)]
pub struct ByteSize<const MIN: u64, const MAX: u64>;

impl<const MIN: u64, const MAX: u64> ValueKind for ByteSize<MIN, MAX> {
    type Value = u64;
    type Field = i64;
    const VALUES: AllowedValues = AllowedValues::Bytes(MIN, MAX);

    fn from_text(text: &str) -> Result<u64, String> {
        read::size(text, MIN, MAX)
    }

    fn from_field(field: i64) -> Result<u64, i64> {
        u64::try_from(field).ok().filter(|bytes| (MIN..=MAX).contains(bytes)).ok_or(field)
    }
}

impl ValueKind for bool {
    type Value = Self;
    type Field = Self;
    const VALUES: AllowedValues = AllowedValues::Words("true or false");

    fn from_text(text: &str) -> Result<Self, String> {
        read::boolean(text)
    }

    fn from_field(field: Self) -> Result<Self, i64> {
        Ok(field)
    }
}
