//! `cargo xtask bench report`: files of figures become a page with plots.

use std::fs;
use std::path::{Path, PathBuf};

use lb_tests::bench::figures::Figure;
use lb_tests::bench::record::{Better, Record, Row};
use lb_tests::bench::report;

#[test]
fn a_run_is_compared_with_the_first_of_its_benchmark() {
    let directory = Directory::new("compared");
    let before = directory.write("before.json", &record("datapath", &[("tcp|4", 60.0), ("gone", 7.0)]));
    let after = directory.write("after.json", &record("datapath", &[("tcp|4", 30.0), ("new", 8.0)]));
    let other = directory.write("other.json", &record("control", &[("plan", 0.5)]));
    let page = report::run(&[before, after, other], &directory.path("out")).unwrap();
    let text = fs::read_to_string(page).unwrap();
    for line in [
        "| case | figure | before | after | after / before | goal |",
        "| tcp\\|4 | net | 60.0 (60.0–65.0) ns | 30.0 (30.0–35.0) ns | 0.50× ✓ | ≤ 35.0 |",
        "| gone | net | 7.00 (7.00–12.0) ns | – | – | ≤ 35.0 |",
        "| new | net | – | 8.00 (8.00–13.0) ns | – | ≤ 35.0 |",
        "![datapath](datapath.svg)",
        "| case | figure | other | goal |",
        "| plan | net | 0.50 (0.50–5.50) ns | ≤ 35.0 |",
        "![control](control.svg)",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let machine = Record::new("x").unwrap().machine;
    assert!(text.contains(&machine.kernel) && text.contains(&machine.processor), "{text}");
    assert!(!text.contains("different machines"), "{text}");
}

#[test]
fn plots_name_cases_and_their_bars_are_as_long_as_the_figures() {
    let directory = Directory::new("plots");
    let file = directory.write("one.json", &record("datapath", &[("long<", 100.0), ("short", 50.0)]));
    report::run(&[file], &directory.path("out")).unwrap();
    let svg = fs::read_to_string(directory.path("out/datapath.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("long&lt;") && svg.contains("100 ns"), "{svg}");
    // White, the key, and two bars.
    let widths: Vec<f64> = svg
        .lines()
        .filter(|line| line.starts_with("<rect"))
        .map(|line| line.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
        .collect();
    let [_, _, long, short] = widths[..] else { panic!("{widths:?}\n{svg}") };
    assert!((short * 2.0 - long).abs() <= 2.0, "{widths:?}");
}

#[test]
fn another_machine_is_told() {
    let directory = Directory::new("machine");
    let mut foreign = record("datapath", &[("a", 1.0)]);
    foreign.machine.kernel = "5.18.0-other".into();
    let files = [
        directory.write("here.json", &record("datapath", &[("a", 1.0)])),
        directory.write("there.json", &foreign),
    ];
    let text = fs::read_to_string(report::run(&files, &directory.path("out")).unwrap()).unwrap();
    assert!(text.contains("5.18.0-other") && text.contains("different machines"), "{text}");
}

#[test]
fn a_file_of_another_kind_is_named_and_nothing_is_written() {
    let directory = Directory::new("refused");
    let good = directory.write("good.json", &record("datapath", &[("a", 1.0)]));
    let bad = directory.path("bad.json");
    fs::write(&bad, r#"{"schema": "lb-bench-datapath/1"}"#).unwrap();
    let error = format!("{:#}", report::run(&[good, bad], &directory.path("out")).unwrap_err());
    assert!(error.contains("bad.json") && error.contains("found lb-bench-datapath/1"), "{error}");
    assert!(!directory.path("out").exists());
}

fn record(bench: &str, rows: &[(&str, f64)]) -> Record {
    let mut record = Record::new(bench).unwrap();
    for (name, value) in rows {
        let figure = Figure { quiet: *value, median: *value, low: *value, high: value + 5.0 };
        let mut row = Row::new(*name).with("net", "ns", Better::Less, figure);
        row.figures[0].goal = Some(35.0);
        record.rows.push(row);
    }
    record
}

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, record: &Record) -> PathBuf {
        record.write(&self.path(name)).unwrap();
        self.path(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
