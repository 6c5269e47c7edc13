//! A comparison as readable JSON: one key per line, and each list of numbers on one line.

use super::DeviceComparison;
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use std::io;

/// Content of [`COMPARISON_FILE`](super::COMPARISON_FILE).
pub fn text(comparison: &DeviceComparison) -> String {
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, Lines::default());
    let done = comparison.serialize(&mut serializer);
    done.expect("plain data has a JSON form");
    out.push(b'\n');
    String::from_utf8(out).expect("JSON is text")
}

/// Puts line breaks into objects, but not into lists.
#[derive(Default)]
struct Lines(PrettyFormatter<'static>);

impl Formatter for Lines {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        match first {
            true => Ok(()),
            false => out.write_all(b","),
        }
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::results::fixture::comparison;

    #[test]
    fn json_round_trips_with_lists_on_one_line() {
        let comparison = comparison(2, 0.5);
        let text = text(&comparison);
        assert_eq!(
            serde_json::from_str::<DeviceComparison>(&text).unwrap(),
            comparison
        );
        assert!(
            text.contains("\"test_accuracy\": [80.0,90.5]\n")
                || text.contains("\"test_accuracy\": [80.0,90.5],\n"),
            "{text}"
        );
    }
}
