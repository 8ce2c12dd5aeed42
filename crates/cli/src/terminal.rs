//! What standard output and standard error are, and how to decorate text for them.

use std::io::IsTerminal as _;

use clap::{
    ValueEnum,
    builder::styling::{AnsiColor, Effects, Style},
};

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set or TERM is `dumb`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Whether text for standard output is to be coloured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(bool);

impl Paint {
    pub(crate) fn for_stdout(choice: ColorChoice) -> Self {
        Self(match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
            }
        })
    }

    /// No colour.
    pub(crate) fn plain() -> Self {
        Self(false)
    }

    fn with(self, style: Style, text: &str) -> String {
        if self.0 {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// For headings.
    pub(crate) fn strong(self, text: &str) -> String {
        self.with(Style::new().effects(Effects::BOLD), text)
    }

    /// For what matters less.
    pub(crate) fn faint(self, text: &str) -> String {
        self.with(Style::new().effects(Effects::DIMMED), text)
    }

    /// For what is well.
    pub(crate) fn good(self, text: &str) -> String {
        self.with(AnsiColor::Green.on_default(), text)
    }

    /// For what may mislead.
    pub(crate) fn warning(self, text: &str) -> String {
        self.with(AnsiColor::Yellow.on_default().effects(Effects::BOLD), text)
    }

    /// For what is wrong.
    pub(crate) fn bad(self, text: &str) -> String {
        self.with(AnsiColor::Red.on_default().effects(Effects::BOLD), text)
    }
}

/// Replaces control characters, so that text from a trace or a server cannot drive the terminal.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Rows of cells in aligned columns, two spaces apart: text to the left, numbers to the right.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    text: TextColumns,
}

/// Which columns have text.
#[derive(Clone, Copy, Debug, Default)]
enum TextColumns {
    #[default]
    First,
    /// The last columns, so many: for text that may be long.
    Last(usize),
}

impl Table {
    /// A table whose last columns have text, so many.
    pub(crate) fn with_text_last(columns: usize) -> Self {
        Self {
            text: TextColumns::Last(columns),
            ..Self::default()
        }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// The lines; the first is a heading.
    pub(crate) fn lines(&self, paint: Paint) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![0; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let line = |(n, row): (usize, &Vec<String>)| {
            let mut line = String::new();
            for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                if column > 0 {
                    line += "  ";
                }
                let is_text = match self.text {
                    TextColumns::First => column == 0,
                    TextColumns::Last(count) => column + count >= columns,
                };
                if is_text {
                    line += &format!("{cell:<width$}");
                } else {
                    line += &format!("{cell:>width$}");
                }
            }
            let line = line.trim_end();
            if n == 0 {
                paint.faint(line)
            } else {
                line.to_owned()
            }
        };
        self.rows.iter().enumerate().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_characters_not_bytes() {
        let mut table = Table::default();
        table.row(["a".to_owned(), "time".to_owned()]);
        table.row(["long".to_owned(), "1 µs".to_owned()]);
        table.row(["b".to_owned(), "10 µs".to_owned()]);
        let lines = table.lines(Paint(false));
        assert_eq!(lines, ["a      time", "long   1 µs", "b     10 µs"]);
    }

    #[test]
    fn the_last_column_may_be_the_one_with_text() {
        let mut table = Table::with_text_last(1);
        table.row(["n".to_owned(), "name".to_owned()]);
        table.row(["10".to_owned(), "a long one".to_owned()]);
        assert_eq!(table.lines(Paint(false)), [" n  name", "10  a long one"]);
    }

    #[test]
    fn escape_sequences_are_defused() {
        assert_eq!(harmless("a\x1b[31mb\r\n"), "a\u{fffd}[31mb\u{fffd}\u{fffd}");
    }
}
