//! The page.

use std::fmt::Write as _;
use std::time::Duration;

use lb_userspace::utc::utc;

use super::{Group, Run, plot_name};
use crate::bench::record::{Better, Measure};

/// The page as Markdown, with plots beside it.
pub fn markdown(runs: &[Run], groups: &[Group]) -> String {
    let mut page = String::from("# Benchmarks\n\n");
    table(
        &mut page,
        &["run", "benchmark", "began", "processor", "processors", "memory", "virtual", "Linux", "Spectre v2"],
        runs.iter().map(|run| {
            let (record, machine) = (&run.record, &run.record.machine);
            vec![
                run.name.clone(),
                record.bench.clone(),
                utc(Duration::from_secs(record.began)).chars().take(19).collect::<String>() + "Z",
                machine.processor.clone(),
                machine.processors.to_string(),
                format!("{} MiB", machine.memory_mib),
                if machine.is_virtual { "yes" } else { "no" }.into(),
                machine.kernel.clone(),
                machine.spectre_v2.clone(),
            ]
        }),
    );
    if runs.iter().any(|run| run.record.machine != runs[0].record.machine) {
        page.push_str("\nThe runs are of different machines or kernels: compare ratios within a run.\n");
    }
    for group in groups {
        section(&mut page, group);
    }
    page
}

fn section(page: &mut String, group: &Group) {
    let bench = group.bench;
    let _ = write!(page, "\n## {}\n\n![{}]({})\n\n", cell(bench), cell(bench), plot_name(group));
    let mut header = vec!["case".to_owned(), "figure".to_owned()];
    header.extend(group.runs.iter().map(|run| run.name.clone()));
    header.extend(group.runs.iter().skip(1).map(|run| format!("{} / {}", run.name, group.runs[0].name)));
    header.push("goal".into());
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let lines = group.names().into_iter().flat_map(|name| lines(group, name));
    table(page, &header, lines);
    if group.runs.len() > 1 {
        page.push_str("\nRatios are of the quiet figures. ✓ is better and ✗ worse by a tenth or more.\n");
    }
}

/// A line for each figure of a case.
fn lines(group: &Group, case: &str) -> Vec<Vec<String>> {
    let rows = group.rows(case);
    let mut names: Vec<&str> = Vec::new();
    for figure in rows.iter().flatten().flat_map(|row| &row.figures) {
        if !names.contains(&figure.name.as_str()) {
            names.push(&figure.name);
        }
    }
    let line = |name: &str| {
        let figures: Vec<Option<&Measure>> =
            rows.iter().map(|row| row.and_then(|row| row.figures.iter().find(|f| f.name == name))).collect();
        let mut line = vec![case.to_owned(), name.to_owned()];
        line.extend(figures.iter().map(|figure| figure.map_or_else(|| "–".into(), shown)));
        line.extend(figures.iter().skip(1).map(|figure| compared(figures[0], *figure)));
        line.push(figures.iter().flatten().find_map(|figure| goal(figure)).unwrap_or_default());
        line
    };
    names.into_iter().map(line).collect()
}

/// The figure with its unit, and where it varied its spread.
fn shown(measure: &Measure) -> String {
    let figure = measure.figure;
    let mut text = number(figure.quiet);
    if figure.low < figure.high {
        let _ = write!(text, " ({}–{})", number(figure.low), number(figure.high));
    }
    if !measure.unit.is_empty() {
        let _ = write!(text, " {}", measure.unit);
    }
    text
}

fn compared(first: Option<&Measure>, other: Option<&Measure>) -> String {
    let (Some(first), Some(other)) = (first, other) else { return "–".into() };
    let ratio = other.figure.quiet / first.figure.quiet;
    if !ratio.is_finite() || first.unit != other.unit {
        return "–".into();
    }
    let gain = match first.better {
        Better::Less => 1.0 / ratio,
        Better::More => ratio,
    };
    let mark = if gain >= 1.1 {
        " ✓"
    } else if gain <= 1.0 / 1.1 {
        " ✗"
    } else {
        ""
    };
    format!("{ratio:.2}×{mark}")
}

fn goal(measure: &Measure) -> Option<String> {
    let sign = match measure.better {
        Better::Less => '≤',
        Better::More => '≥',
    };
    measure.goal.map(|goal| format!("{sign} {}", number(goal)))
}

/// With three digits that count.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn table(page: &mut String, header: &[&str], lines: impl Iterator<Item = Vec<String>>) {
    let mut add = |cells: &mut dyn Iterator<Item = String>| {
        let _ = writeln!(page, "| {} |", cells.collect::<Vec<_>>().join(" | "));
    };
    add(&mut header.iter().map(|text| cell(text)));
    add(&mut header.iter().map(|_| "---".to_owned()));
    lines.for_each(|line| add(&mut line.iter().map(|text| cell(text))));
}

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}
