//! What the daemon logs, and how.

use serde_saphyr::Spanned;
use tracing::Level;

use super::file;
use super::section::Section;
use super::value;

/// What the daemon logs, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least important that is logged.
    pub level: Level,
    /// What a line of the log is.
    pub format: LogFormat,
}

/// What a line of the log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// A JSON object.
    Json,
}

const LEVELS: &[(&str, Level)] = &[
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

const FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];

impl Default for Log {
    fn default() -> Self {
        Log { level: Level::INFO, format: LogFormat::default() }
    }
}

/// None if something is wrong; then it has been reported.
pub(super) fn from_written(root: &mut Section, written: Option<&Spanned<file::Log>>) -> Option<Log> {
    let default = Log::default();
    let Some(written) = written else { return Some(default) };
    let mut section = root.field("log", written);
    let file::Log { level, format } = &written.value;
    let level = section.optional("level", level.as_ref(), default.level, |text| value::choice(text, LEVELS));
    let format =
        section.optional("format", format.as_ref(), default.format, |text| value::choice(text, FORMATS));
    Some(Log { level: level?, format: format? })
}
