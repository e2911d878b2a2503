//! Answers as tables for people.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, IsTerminal};

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Row, Table, presets,
};

/// What can be shown as a table.
pub(super) trait Tabular {
    /// The table, without a line break at its end.
    fn table(&self, look: Look) -> String;
}

/// What a table looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// Columns that there are; no end of them if none are given.
    pub width: Option<u16>,
    /// Whether there may be colours.
    pub colour: bool,
}

impl Look {
    /// What standard output can show: a file or a pipe gets neither colours nor line breaks. `NO_COLOR` is heeded
    /// (no-color.org).
    pub fn of_stdout() -> Self {
        let on_terminal = io::stdout().is_terminal();
        let no_colour = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        Look {
            width: terminal_size::terminal_size().filter(|_| on_terminal).map(|(width, _)| width.0),
            colour: on_terminal && !no_colour,
        }
    }
}

/// How a column is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// From the left.
    Left,
    /// To the right: numbers.
    Right,
    /// From the left, in several lines where the screen is too narrow.
    Wrapped,
}

/// How much someone should look at something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// All is well.
    Good,
    /// On its way to something else.
    Changing,
    /// Something is wrong.
    Bad,
    /// Off.
    Off,
}

/// A table that is being filled.
pub(super) struct Sheet {
    table: Table,
    columns: Vec<Align>,
}

impl Sheet {
    /// With these titles.
    pub fn new<const N: usize>(columns: [(&str, Align); N]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).force_no_tty();
        table.set_header(columns.map(|(title, _)| Cell::new(title).add_attribute(Attribute::Bold)));
        Sheet { table, columns: columns.map(|(_, align)| align).into() }
    }

    /// Adds a row.
    pub fn row<T: Into<Cell>, const N: usize>(&mut self, cells: [T; N]) {
        self.table.add_row(Row::from(cells.map(Into::into).to_vec()));
    }

    /// Numbers to the right, and no blanks at either end of a line.
    pub fn draw(mut self, look: Look) -> String {
        if look.colour {
            self.table.enforce_styling();
        }
        self.table.set_content_arrangement(ContentArrangement::Disabled);
        if let Some(width) = look.width {
            self.table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        for (column, align) in self.table.column_iter_mut().zip(&self.columns) {
            column.set_padding((0, 2));
            if *align != Align::Wrapped {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
            if *align == Align::Right {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self.table.trim_fmt()
    }
}

/// Text in the colour of a mood.
pub(super) fn in_mood(text: String, mood: Mood) -> Cell {
    Cell::new(text).fg(match mood {
        Mood::Good => Color::DarkGreen,
        Mood::Changing => Color::DarkYellow,
        Mood::Bad => Color::DarkRed,
        Mood::Off => Color::DarkGrey,
    })
}

/// A line in the colour of a mood, if there may be colours.
pub(super) fn coloured(text: &str, mood: Mood, look: Look) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    if look.colour {
        table.enforce_styling();
    }
    table.add_row([in_mood(text.to_owned(), mood)]);
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 0));
    });
    table.trim_fmt()
}

/// As in `no_backend 3, bad_header 1`; 0 if there are none.
pub(super) fn reasons(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "0".into();
    }
    counts.iter().map(|(reason, count)| format!("{reason} {count}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> Sheet {
        let mut sheet =
            Sheet::new([("BACKEND", Align::Left), ("PACKETS", Align::Right), ("STATE", Align::Wrapped)]);
        let state = "down: 10.0.0.1 doesn't answer on eth0".into();
        sheet.row([Cell::new("alpha"), Cell::new(7), in_mood(state, Mood::Bad)]);
        sheet
    }

    #[test]
    fn a_file_gets_one_line_a_row() {
        let drawn = sheet().draw(Look { width: None, colour: false });
        assert_eq!(drawn, "BACKEND  PACKETS  STATE\nalpha          7  down: 10.0.0.1 doesn't answer on eth0");
    }

    #[test]
    fn a_terminal_gets_what_fits() {
        let drawn = sheet().draw(Look { width: Some(42), colour: false });
        assert!(drawn.lines().all(|line| line.len() <= 42), "{drawn}");
        assert_eq!(
            drawn,
            "BACKEND  PACKETS  STATE\nalpha          7  down: 10.0.0.1 doesn't\n                  answer on eth0"
        );
    }

    #[test]
    fn there_are_colours_where_they_may_be() {
        assert!(!sheet().draw(Look { width: Some(42), colour: false }).contains('\x1b'));
        let drawn = sheet().draw(Look { width: None, colour: true });
        assert!(drawn.contains("\x1b[38;5;1mdown"), "{drawn:?}");
    }
}
