//! Records of a CSV file, with the line of each.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::io::{self, BufRead, BufReader, Read};

/// Reads one record after the other. Empty lines and a mark of UTF-8 at the start are skipped.
pub(super) struct Records<R: Read> {
    bytes: BufReader<R>,
    reader: Reader,
    /// Bytes of all fields of the record.
    text: Vec<u8>,
    /// End of each field in `text`.
    ends: Vec<usize>,
    /// Number of fields.
    count: usize,
    /// Line in which the record starts, from 1.
    start: usize,
    /// Line in which the next byte is, from 1.
    line: usize,
}

impl<R: Read> Records<R> {
    /// The separator is the one that occurs in the first line: a comma, a semicolon or a tab.
    pub(super) fn new(bytes: R) -> io::Result<Self> {
        let mut bytes = BufReader::new(bytes);
        let start = bytes.fill_buf()?;
        let line = start
            .split(|&byte| byte == b'\n')
            .next()
            .unwrap_or_default();
        let found = [b',', b';', b'\t'].into_iter().find(|c| line.contains(c));
        Ok(Self {
            bytes,
            reader: ReaderBuilder::new()
                .delimiter(found.unwrap_or(b','))
                .build(),
            text: vec![0; 1024],
            ends: vec![0; 32],
            count: 0,
            start: 1,
            line: 1,
        })
    }

    /// Reads the next record and returns its line; `None` at the end of the file.
    pub(super) fn read(&mut self) -> io::Result<Option<usize>> {
        self.skip_empty_lines()?;
        self.start = self.line;
        let mut written = 0;
        self.count = 0;
        loop {
            let input = self.bytes.fill_buf()?;
            let (text, ends) = (&mut self.text[written..], &mut self.ends[self.count..]);
            let (result, used, new, fields) = self.reader.read_record(input, text, ends);
            self.line += input[..used].iter().filter(|&&byte| byte == b'\n').count();
            self.bytes.consume(used);
            written += new;
            self.count += fields;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.text.resize(2 * self.text.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::Record => return Ok(Some(self.start)),
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    fn skip_empty_lines(&mut self) -> io::Result<()> {
        loop {
            let input = self.bytes.fill_buf()?;
            let blank = input
                .iter()
                .take_while(|byte| b"\r\n".contains(byte))
                .count();
            self.line += input[..blank].iter().filter(|&&byte| byte == b'\n').count();
            let more = blank > 0 && blank == input.len();
            self.bytes.consume(blank);
            if !more {
                return Ok(());
            }
        }
    }

    /// The fields of the record that was read last, without spaces around them.
    ///
    /// # Errors
    /// If a field is not UTF-8; the message continues a sentence that starts with the name of the file.
    pub(super) fn fields(&self) -> Result<Vec<&str>, String> {
        let ends = &self.ends[..self.count];
        let starts = [0].into_iter().chain(ends.iter().copied());
        let fields = starts.zip(ends).map(|(start, &end)| {
            let text = std::str::from_utf8(&self.text[start..end]);
            text.map(str::trim)
        });
        let fields: Result<Vec<&str>, _> = fields.collect();
        fields.map_err(|_| format!(", line {}: is not UTF-8 text", self.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<(usize, Vec<String>)> {
        let mut records = Records::new(text).unwrap();
        let mut found = Vec::new();
        while let Some(line) = records.read().unwrap() {
            let fields = records.fields().unwrap();
            found.push((line, fields.into_iter().map(str::to_owned).collect()));
        }
        found
    }

    fn record(line: usize, fields: &[&str]) -> (usize, Vec<String>) {
        (line, fields.iter().map(|&field| field.to_owned()).collect())
    }

    #[test]
    fn records_have_their_lines() {
        let text = b"\xef\xbb\xbfa; b\r\n\r\n\"x;\ny\";2\r\n3;4";
        let expected = [
            record(1, &["a", "b"]),
            record(3, &["x;\ny", "2"]),
            record(5, &["3", "4"]),
        ];
        assert_eq!(all(text), expected);
        assert_eq!(all(b""), []);
        assert_eq!(all(b"\n\n"), []);
    }

    #[test]
    fn long_records_grow_the_buffers() {
        let fields: Vec<String> = (0..3000).map(|i| format!("{i:0>20}")).collect();
        let text = format!("{}\nz\n", fields.join(","));
        assert_eq!(all(text.as_bytes()), [(1, fields), record(2, &["z"])]);
    }

    #[test]
    fn parts_of_a_character_in_two_fields_are_no_text() {
        let mut records = Records::new(&b"a\xc3,\xa9b\n"[..]).unwrap();
        records.read().unwrap();
        assert_eq!(records.fields().unwrap_err(), ", line 1: is not UTF-8 text");
    }
}
