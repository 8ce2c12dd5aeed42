//! Comma-separated values (RFC 4180, with line feeds).

/// Lines of values under a heading.
#[derive(Debug)]
pub(crate) struct Csv {
    out: String,
}

impl Csv {
    pub(crate) fn new<'a>(heading: impl IntoIterator<Item = &'a str>) -> Self {
        let mut csv = Self { out: String::new() };
        csv.line(heading.into_iter().map(str::to_owned));
        csv
    }

    pub(crate) fn line(&mut self, fields: impl IntoIterator<Item = String>) {
        for (at, field) in fields.into_iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            if field.contains(['"', ',', '\n', '\r']) {
                self.out.push('"');
                self.out += &field.replace('"', "\"\"");
                self.out.push('"');
            } else {
                self.out += &field;
            }
        }
        self.out.push('\n');
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_break_a_line_is_quoted() {
        let mut csv = Csv::new(["a", "b"]);
        csv.line(["say \"so\"".to_owned(), "x,y".to_owned()]);
        csv.line(["two\nlines".to_owned(), String::new()]);
        let expected = "a,b\n\"say \"\"so\"\"\",\"x,y\"\n\"two\nlines\",\n";
        assert_eq!(csv.finish(), expected);
    }
}
