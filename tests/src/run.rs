//! Programs that do one thing and end.

use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::interrupt;
use crate::wait::PATIENCE;

/// What a program left.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Runs a program to its end, which must be a good one, and gives its output.
///
/// # Errors
/// It can't be started, ends with an error (its standard error is quoted) or not within [`PATIENCE`]; Ctrl-C.
pub fn run(command: &mut Command) -> Result<String> {
    let finished = finish(command, PATIENCE)?;
    if !finished.status.success() {
        let stderr = finished.stderr.trim();
        bail!("{}: {}{}{stderr}", line(command), finished.status, if stderr.is_empty() { "" } else { ": " });
    }
    Ok(finished.stdout)
}

/// Runs a program to whatever end.
///
/// # Errors
/// It can't be started or doesn't end within `limit`; Ctrl-C.
pub fn finish(command: &mut Command, limit: Duration) -> Result<Finished> {
    interrupt::check()?;
    let mut child = command
        // Ctrl-C at the terminal is for this process, which stops the others in good order.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| line(command))?;
    let stdout = read(child.stdout.take());
    let stderr = read(child.stderr.take());
    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let late = Instant::now() > end;
        if late || interrupt::check().is_err() {
            child.kill()?;
            child.wait()?;
            interrupt::check()?;
            bail!("{}: not done within {} s", line(command), limit.as_secs());
        }
        thread::sleep(Duration::from_millis(1));
    };
    let text = |reader: thread::JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
    };
    Ok(Finished { status, stdout: text(stdout), stderr: text(stderr) })
}

/// Reads while the program runs, so that it never waits for a full pipe.
fn read(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut octets = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came before an error is all there is.
            let _ = pipe.read_to_end(&mut octets);
        }
        octets
    })
}

/// The program and its arguments, as one would type them.
fn line(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_larger_than_a_pipe_arrives() {
        let output = run(Command::new("head").args(["-c", "300000", "/dev/zero"])).unwrap();
        assert_eq!(output.len(), 300_000);
    }

    #[test]
    fn an_error_quotes_the_program() {
        let error = run(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "sh -c echo why >&2; exit 3: exit status: 3: why");
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let error = finish(Command::new("sleep").arg("1000"), Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.to_string(), "sleep 1000: not done within 0 s");
    }
}
