//! How far a run is, on standard error if that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar below the lines that are printed; it goes when this is dropped.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Of a run of so many steps.
    #[must_use]
    pub fn new(steps: usize) -> Progress {
        let bar = ProgressBar::new(steps as u64);
        // If the template was wrong, the bar would look otherwise.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}, {elapsed}, {eta} to go: {msg}")
        {
            bar.set_style(style);
        }
        Progress { bar }
    }

    /// The next step has begun.
    pub fn begin(&self, step: &str) {
        self.bar.set_message(step.to_owned());
        self.bar.tick();
    }

    /// The step has ended: prints what came of it.
    pub fn end(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
