//! What the daemon logs, and how.

use tracing::Level;

use super::field::{Choice, Field, Fields, Scalar};
use super::section::Section;

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

static LEVEL: Scalar<Choice<Level>> = Scalar {
    name: "level",
    about: "The least important that is logged. Default: info.",
    remedy: None,
    form: Choice(&[
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ]),
};

static FORMAT: Scalar<Choice<LogFormat>> = Scalar {
    name: "format",
    about: "What a line is: text for people, or a JSON object. Default: text.",
    remedy: None,
    form: Choice(&[("text", LogFormat::Text), ("json", LogFormat::Json)]),
};

/// The fields of `log`.
pub(super) static FIELDS: Fields = &[&[Field::Scalar(&LEVEL), Field::Scalar(&FORMAT)]];

impl Default for Log {
    fn default() -> Self {
        Log { level: Level::INFO, format: LogFormat::default() }
    }
}

/// None if something is wrong; then it has been reported.
pub(super) fn read(root: &mut Section) -> Option<Log> {
    let default = Log::default();
    let Some(log) = root.section("log") else { return Some(default) };
    let (level, format) = (log.optional(&LEVEL, default.level), log.optional(&FORMAT, default.format));
    Some(Log { level: level?, format: format? })
}
