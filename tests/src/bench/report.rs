//! A page out of files of figures, which compares runs as ratios.

mod page;
mod plot;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::record::{Record, Row};

/// A file of figures.
#[derive(Clone, Debug)]
pub struct Run {
    /// What the page calls it.
    pub name: String,
    /// What it holds.
    pub record: Record,
}

/// The runs of one benchmark, the first of which is what the others are compared with.
pub struct Group<'runs> {
    bench: &'runs str,
    runs: Vec<&'runs Run>,
}

impl Group<'_> {
    /// Names of all rows, in the order in which they came.
    fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for row in self.runs.iter().flat_map(|run| &run.record.rows) {
            if !names.contains(&row.name.as_str()) {
                names.push(row.name.as_str());
            }
        }
        names
    }

    /// The row of that name in each run.
    fn rows(&self, name: &str) -> Vec<Option<&Row>> {
        self.runs.iter().map(|run| run.record.rows.iter().find(|row| row.name == name)).collect()
    }
}

/// Reads files and writes `report.md`, with a plot for each benchmark, to a directory. Returns the page's path.
///
/// # Errors
/// A file isn't one of figures, or the directory can't be written to; nothing is written if a file is at fault.
pub fn run(files: &[PathBuf], directory: &Path) -> Result<PathBuf> {
    let runs =
        files.iter().zip(names(files)).map(|(file, name)| Ok(Run { name, record: Record::read(file)? }));
    let runs = runs.collect::<Result<Vec<Run>>>()?;
    let groups = groups(&runs);
    let shown = || directory.display().to_string();
    fs::create_dir_all(directory).with_context(shown)?;
    for group in &groups {
        fs::write(directory.join(plot_name(group)), plot::svg(group)?).with_context(shown)?;
    }
    let page = directory.join("report.md");
    fs::write(&page, page::markdown(&runs, &groups)).with_context(shown)?;
    Ok(page)
}

fn plot_name(group: &Group) -> String {
    let letters = group.bench.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    format!("{}.svg", letters.collect::<String>())
}

/// Names of files without what they have in common, or, where these are equal, as they were typed.
fn names(files: &[PathBuf]) -> Vec<String> {
    let stem = |file: &PathBuf| file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    let stems: Vec<String> = files.iter().map(stem).collect();
    let is_alone = |name: &String| stems.iter().filter(|other| *other == name).count() == 1;
    files
        .iter()
        .zip(&stems)
        .map(|(file, stem)| if is_alone(stem) { stem.clone() } else { file.display().to_string() })
        .collect()
}

fn groups(runs: &[Run]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    for run in runs {
        match groups.iter_mut().find(|group| group.bench == run.record.bench) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { bench: &run.record.bench, runs: vec![run] }),
        }
    }
    groups
}
