//! Metrics in a CSV file with a header.

use super::evaluations::{Entry, Evaluations};
use super::lines::each_line;
use super::report::{EPOCH, STEP, number, whole};
use crate::text::csv::{fields, separator, without_mark};
use std::fs::File;
use std::io;
use std::path::Path;

/// Reads every row of the file `path` into `evaluations`. Fields are separated by commas, semicolons or
/// tabs, whichever the header has; empty fields are left out.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn read(path: &Path, evaluations: &mut Evaluations) -> io::Result<()> {
    // Opening a named pipe would wait for its other end.
    if path.exists() && !path.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    let mut file = File::open(path)?;
    let mut header: Option<(char, Vec<String>)> = None;
    each_line(&mut file, |line| {
        let line = String::from_utf8_lossy(line);
        match &header {
            None => {
                let line = without_mark(&line);
                let separator = separator(line);
                header = Some((separator, fields(line, separator)));
            }
            Some((separator, names)) => {
                evaluations.add(entry(names, fields(&line, *separator)));
            }
        }
    });
    Ok(())
}

fn entry(names: &[String], fields: Vec<String>) -> Entry {
    let mut entry = Entry::default();
    let filled = names
        .iter()
        .zip(fields)
        .filter(|(_, field)| !field.is_empty());
    for (name, field) in filled {
        match name.as_str() {
            STEP => entry.step = field.parse().ok().and_then(whole),
            EPOCH => entry.epoch = field.parse().ok().and_then(whole),
            _ => entry.values.push((name.clone(), number(&field))),
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::EpochRecord;

    fn records(text: &str, metrics: &[&str]) -> Result<Vec<EpochRecord>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.csv");
        std::fs::write(&path, text).unwrap();
        let metrics: Vec<String> = metrics.iter().map(|&m| m.to_owned()).collect();
        let mut evaluations = Evaluations::new(&metrics);
        read(&path, &mut evaluations).unwrap();
        evaluations.finish()
    }

    #[test]
    fn rows_sorted_by_metric_are_ordered_by_epoch() {
        let text = "epoch,train_loss,eval_top1\r\n1,0.3,70.5\r\n2,0.1,70.1\r\n0,0.9,60\r\n";
        let found = records(text, &["eval_top1"]).unwrap();
        let places: Vec<usize> = found.iter().map(EpochRecord::place).collect();
        assert_eq!(places, [0, 1, 2]);
        assert_eq!(found[2].metrics["eval_top1"], 70.1);
    }

    #[test]
    fn quotes_separators_and_empty_fields_are_understood() {
        let text = "\u{feff}step; \"the; loss\" ;note\n10;1.5;\"a \"\"b\"\"\"\n20;;\n30;2.5;x\n";
        let found = records(text, &["the; loss"]).unwrap();
        let places: Vec<usize> = found.iter().map(EpochRecord::place).collect();
        assert_eq!(places, [10, 30]);
    }

    #[test]
    fn missing_column_is_answered_with_those_there_are() {
        let error = records("epoch,acc\n1,2\n", &["accuracy"]).unwrap_err();
        assert_eq!(error, "did not report `accuracy`; it reported `acc`");
        let error = records("epoch,accuracy\n1,nan\n", &["accuracy"]).unwrap_err();
        assert!(error.contains("as `nan` at epoch 1"), "{error}");
    }
}
