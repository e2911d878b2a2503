//! How it ends: exit codes.

use std::process::ExitCode;

use anyhow::Result;

use crate::client;

/// What the exit codes mean, for the help text.
pub(super) const HELP: &str = "\
Exit codes:
  0  done
  1  refused, or not done: standard error says why
  2  the command line isn't understood
  3  lbd can't be reached
  4  there are changes, where a command was asked whether there are";

/// How a command ends that didn't fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It did what it was told.
    Done,
    /// It was asked whether there are changes, and there are.
    Changes,
}

/// The number that the process ends with.
pub(super) fn exit_code(ended: &Result<Outcome>) -> ExitCode {
    ExitCode::from(match ended {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Changes) => 4,
        Err(error) if error.downcast_ref().is_some_and(client::Error::is_unreachable) => 3,
        Err(_) => 1,
    })
}
