//! Bars of the first figure of each case.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::Group;
use super::page::number;

const WIDTH: i32 = 1000;
/// Pixels left of the bars, for the names of cases.
const NAMES: i32 = 340;
/// Pixels right of the longest bar, for its number.
const NUMBERS: i32 = 110;
const BAR: i32 = 14;
const GAP: i32 = 8;
const HEAD: i32 = 30;
const FONT: i32 = 12;

/// The plot as SVG.
///
/// # Errors
/// The plot can't be drawn.
pub fn svg(group: &Group) -> Result<String> {
    let mut text = String::new();
    draw(group, &mut text).map_err(|error| anyhow!("the plot of {}: {error}", group.bench))?;
    Ok(text)
}

#[expect(clippy::cast_possible_wrap, reason = "as many cases and runs as a file names")]
fn draw(group: &Group, text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let (names, runs) = (group.names(), group.runs.len() as i32);
    let height = HEAD * 2 + names.len() as i32 * (runs * BAR + GAP);
    let area =
        SVGBackend::with_string(text, (WIDTH.cast_unsigned(), height.cast_unsigned())).into_drawing_area();
    area.fill(&WHITE)?;
    let style = ("sans-serif", FONT).into_font().color(&BLACK);
    let first = |name: &str, run: usize| group.rows(name)[run].and_then(|row| row.figures.first().cloned());
    let all = || names.iter().flat_map(|name| (0..group.runs.len()).filter_map(move |run| first(name, run)));
    // Cases of one benchmark may differ in their units: bars of each are as long as the largest of theirs says.
    let largest = |unit: &str| {
        let same = all().filter(|figure| figure.unit == unit);
        same.map(|figure| figure.figure.quiet.max(figure.figure.high)).fold(0.0, f64::max)
    };
    let length = |value: f64, unit: &str| {
        let share = value / largest(unit);
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        (share * f64::from(WIDTH - NAMES - NUMBERS)) as i32
    };

    for (number, run) in group.runs.iter().enumerate() {
        let x = NAMES + number as i32 * 150;
        area.draw(&Rectangle::new([(x, 8), (x + FONT, 8 + FONT)], Palette99::pick(number).filled()))?;
        area.draw(&Text::new(run.name.clone(), (x + FONT + 6, 8), style.clone()))?;
    }
    let mut y = HEAD;
    for name in &names {
        area.draw(&Text::new((*name).to_owned(), (8, y), style.clone()))?;
        for run in 0..group.runs.len() {
            if let Some(measure) = first(name, run) {
                let figure = measure.figure;
                let end = |value| NAMES + length(value, &measure.unit);
                let bar = [(NAMES, y), (end(figure.quiet), y + BAR - 2)];
                area.draw(&Rectangle::new(bar, Palette99::pick(run).filled()))?;
                let middle = y + BAR / 2 - 1;
                area.draw(&PathElement::new(
                    vec![(end(figure.low), middle), (end(figure.high), middle)],
                    BLACK,
                ))?;
                let value = format!("{} {}", number(figure.quiet), measure.unit);
                area.draw(&Text::new(value, (end(figure.quiet.max(figure.high)) + 6, y), style.clone()))?;
            }
            y += BAR;
        }
        y += GAP;
    }
    area.present()?;
    Ok(())
}
