//! JSON lines of records, as in the journal and in `runs.jsonl`.

use crate::files::FileError;
use crate::record::{CellRecord, EpochRecord, LONGEST_SERIES, MOST_NAMES, Outcome};
use std::path::{Path, PathBuf};

/// Longest line in bytes, enough for about 50,000 epochs.
const MAX_LINE: usize = 16 << 20;

/// An error in reading or writing records.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A line is not a record.
    #[error("`{}` line {line} is not a record: {why}; {advice}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// The reason.
        why: String,
        /// What the user can do.
        advice: &'static str,
    },
    /// A record is invalid.
    #[error("the record of cell `{id}` is invalid: {why}; please report this as a bug")]
    Record {
        /// The cell.
        id: String,
        /// The reason.
        why: String,
    },
}

/// The records of a file.
#[derive(Debug)]
pub(super) struct Lines {
    /// The records, in the order of the lines.
    pub(super) records: Vec<CellRecord>,
    /// Length of the complete lines, in bytes.
    pub(super) whole: usize,
    /// Length of an unfinished last line, in bytes.
    pub(super) torn: usize,
}

impl Lines {
    /// A notice that an unfinished line was dropped, if there was one.
    pub(super) fn notice(&self, path: &Path) -> Option<String> {
        (self.torn > 0).then(|| {
            format!(
                "dropped the unfinished last line of `{}` ({} bytes)",
                path.display(),
                self.torn
            )
        })
    }
}

/// Parses the lines of `bytes`, the content of `path`. A last line without a line break is dropped.
/// `advice` tells the user what to do about a line that is not a record.
pub(super) fn parse(path: &Path, bytes: &[u8], advice: &'static str) -> Result<Lines, RecordError> {
    let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
    let mut records = Vec::new();
    for (index, line) in bytes[..whole].split_inclusive(|&b| b == b'\n').enumerate() {
        records.push(decode(line).map_err(|why| RecordError::Line {
            path: path.to_owned(),
            line: index + 1,
            why,
            advice,
        })?);
    }
    Ok(Lines {
        records,
        whole,
        torn: bytes.len() - whole,
    })
}

fn decode(line: &[u8]) -> Result<CellRecord, String> {
    if line.len() > MAX_LINE {
        return Err(format!("it is longer than {MAX_LINE} bytes"));
    }
    let record = serde_json::from_slice(line).map_err(|e| e.to_string())?;
    check(&record)?;
    Ok(record)
}

/// Formats `records` as lines.
pub(super) fn encode<'r>(
    records: impl IntoIterator<Item = &'r CellRecord>,
) -> Result<Vec<u8>, RecordError> {
    let mut bytes = Vec::new();
    for record in records {
        line(record, &mut bytes).map_err(|why| RecordError::Record {
            id: record.id.clone(),
            why,
        })?;
    }
    Ok(bytes)
}

fn line(record: &CellRecord, bytes: &mut Vec<u8>) -> Result<(), String> {
    check(record)?;
    let start = bytes.len();
    serde_json::to_writer(&mut *bytes, record).map_err(|e| e.to_string())?;
    bytes.push(b'\n');
    if bytes.len() - start > MAX_LINE {
        return Err(format!("its line is longer than {MAX_LINE} bytes"));
    }
    Ok(())
}

/// Checks that all numbers of a record are finite (JSON would turn others into `null`) and that its
/// epochs fit its outcome.
pub(super) fn check(record: &CellRecord) -> Result<(), String> {
    finite("learning_rate", record.learning_rate)?;
    let mut last = 0;
    for epoch in &record.epochs {
        if epoch.step.is_some() != record.epochs[0].step.is_some() {
            return Err("it counts some evaluations in steps and some in epochs".to_owned());
        }
        let place = epoch.place();
        if place <= last {
            return Err(format!("an evaluation at {place} follows one at {last}"));
        }
        last = place;
        check_epoch(epoch)?;
    }
    check_probes(record)?;
    match record.outcome {
        Outcome::Diverged { epoch } if record.epochs.last().is_some_and(|e| e.epoch >= epoch) => {
            Err(format!(
                "it diverged in epoch {epoch} but has a later evaluation"
            ))
        }
        _ => Ok(()),
    }
}

/// Checks that numbers are finite, traces have one value per epoch, and sizes are within bounds.
fn check_probes(record: &CellRecord) -> Result<(), String> {
    for (field, names) in [
        ("probes", record.probes.len()),
        ("traces", record.traces.len()),
        ("series", record.series.len()),
    ] {
        if names > MOST_NAMES {
            return Err(format!("{field} has {names} names, more than {MOST_NAMES}"));
        }
    }
    for (name, &value) in &record.probes {
        finite(&format!("probes.{name}"), value)?;
    }
    let epochs = record.epochs.len();
    for (name, values) in &record.traces {
        if values.len() != epochs {
            let n = values.len();
            return Err(format!("traces.{name} has {n} values for {epochs} epochs"));
        }
    }
    for (name, values) in &record.series {
        if values.len() > LONGEST_SERIES {
            let n = values.len();
            return Err(format!(
                "series.{name} has {n} values, more than {LONGEST_SERIES}"
            ));
        }
    }
    let lists = [("traces", &record.traces), ("series", &record.series)];
    for (field, lists) in lists {
        for (name, values) in lists {
            for &value in values {
                finite(&format!("{field}.{name}"), value)?;
            }
        }
    }
    Ok(())
}

fn check_epoch(epoch: &EpochRecord) -> Result<(), String> {
    let at = |name: &str| format!("{name} of epoch {}", epoch.epoch);
    finite(&at("train_loss"), epoch.train_loss)?;
    for (set, scores) in [("validation", epoch.validation), ("test", Some(epoch.test))] {
        let Some(scores) = scores else { continue };
        finite(&at(&format!("{set}.accuracy")), scores.accuracy)?;
        finite(&at(&format!("{set}.nll")), scores.nll)?;
        finite(&at(&format!("{set}.ece")), scores.ece)?;
    }
    Ok(())
}

fn finite(name: &str, value: f64) -> Result<(), String> {
    if value.is_finite() {
        return Ok(());
    }
    Err(format!("{name} is {value}, not a finite number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Scores;
    use proptest::prelude::*;

    fn record() -> CellRecord {
        let test = Scores {
            accuracy: 97.5,
            nll: 0.1,
            ece: 0.5,
        };
        CellRecord {
            id: "0123456789abcdef0123".into(),
            arm: "a".into(),
            seed: u64::MAX,
            learning_rate: 0.001,
            device: "flex".into(),
            outcome: Outcome::Done,
            epochs: vec![EpochRecord {
                epoch: 1,
                step: None,
                train_loss: 0.25,
                validation: Some(test),
                test,
            }],
            probes: [("train_accuracy".to_owned(), 99.0)].into(),
            traces: [("effective_units".to_owned(), vec![3.0])].into(),
            series: [("ablation_curve".to_owned(), vec![98.0, 50.0, 10.0])].into(),
        }
    }

    fn read(bytes: &[u8]) -> Result<Lines, RecordError> {
        parse(Path::new("x.jsonl"), bytes, "remove it")
    }

    #[test]
    fn line_has_the_documented_format() {
        let text = String::from_utf8(encode([&record()]).unwrap()).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"id":"0123456789abcdef0123","arm":"a","seed":18446744073709551615,"#,
                r#""learning_rate":0.001,"device":"flex","outcome":{"status":"done"},"#,
                r#""epochs":[{"epoch":1,"train_loss":0.25,"#,
                r#""validation":{"accuracy":97.5,"nll":0.1,"ece":0.5},"#,
                r#""test":{"accuracy":97.5,"nll":0.1,"ece":0.5}}],"#,
                r#""probes":{"train_accuracy":99.0},"traces":{"effective_units":[3.0]},"#,
                r#""series":{"ablation_curve":[98.0,50.0,10.0]}}"#,
                "\n"
            )
        );
        assert_eq!(read(text.as_bytes()).unwrap().records, [record()]);
    }

    #[test]
    fn non_finite_numbers_are_rejected_in_every_field() {
        type SetField = fn(&mut CellRecord, f64);
        let fields: [(&str, SetField); 9] = [
            ("learning_rate", |r, x| r.learning_rate = x),
            ("train_loss of epoch 1", |r, x| r.epochs[0].train_loss = x),
            ("validation.nll of epoch 1", |r, x| {
                r.epochs[0].validation.as_mut().unwrap().nll = x;
            }),
            ("test.accuracy of epoch 1", |r, x| {
                r.epochs[0].test.accuracy = x
            }),
            ("test.nll of epoch 1", |r, x| r.epochs[0].test.nll = x),
            ("test.ece of epoch 1", |r, x| r.epochs[0].test.ece = x),
            ("probes.train_accuracy", |r, x| {
                r.probes.insert("train_accuracy".into(), x);
            }),
            ("traces.t", |r, x| {
                r.traces.insert("t".into(), vec![x]);
            }),
            ("series.s", |r, x| {
                r.series.insert("s".into(), vec![1.0, x]);
            }),
        ];
        for (name, set) in fields {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut record = record();
                set(&mut record, value);
                let message = encode([&record]).unwrap_err().to_string();
                assert!(message.contains(&format!("{name} is {value}")), "{message}");
            }
        }
    }

    #[test]
    fn null_and_overflow_are_rejected() {
        let text = String::from_utf8(encode([&record()]).unwrap()).unwrap();
        for number in ["null", "1e999", "NaN"] {
            let bad = text.replace("0.25", number);
            let message = read(bad.as_bytes()).unwrap_err().to_string();
            assert!(
                message.starts_with("`x.jsonl` line 1 is not a record: "),
                "{message}"
            );
        }
    }

    #[test]
    fn epochs_must_ascend_and_fit_the_outcome() {
        let untraced = || {
            let mut record = record();
            record.traces.clear();
            record
        };
        let mut still = untraced();
        still.epochs.push(still.epochs[0].clone());
        let why = check(&still).unwrap_err();
        assert!(why.contains("an evaluation at 1 follows one at 1"), "{why}");
        still.epochs[1].epoch = 5;
        assert_eq!(check(&still), Ok(()));
        still.epochs[1].step = Some(600);
        assert!(check(&still).unwrap_err().contains("some in epochs"));
        // Three evaluations in the first epoch, by steps.
        let mut steps = untraced();
        steps.epochs = vec![steps.epochs[0].clone(); 3];
        for (i, epoch) in steps.epochs.iter_mut().enumerate() {
            (epoch.epoch, epoch.step) = (0, Some(100 * (i + 1)));
        }
        steps.outcome = Outcome::Diverged { epoch: 1 };
        assert_eq!(check(&steps), Ok(()));
        let mut diverged = record();
        diverged.outcome = Outcome::Diverged { epoch: 1 };
        assert!(check(&diverged).unwrap_err().contains("a later evaluation"));
        diverged.outcome = Outcome::Diverged { epoch: 2 };
        assert_eq!(check(&diverged), Ok(()));
    }

    #[test]
    fn traces_fit_epochs_and_sizes_are_bounded() {
        let mut short = record();
        short.traces.insert("t".into(), vec![1.0, 2.0]);
        assert_eq!(
            check(&short).unwrap_err(),
            "traces.t has 2 values for 1 epochs"
        );
        let mut long = record();
        long.series.insert("s".into(), vec![0.0; LONGEST_SERIES]);
        assert_eq!(check(&long), Ok(()));
        long.series
            .insert("s".into(), vec![0.0; LONGEST_SERIES + 1]);
        assert!(
            check(&long)
                .unwrap_err()
                .contains("series.s has 1025 values")
        );
        let mut many = record();
        many.probes = (0..=MOST_NAMES).map(|i| (i.to_string(), 0.0)).collect();
        assert!(check(&many).unwrap_err().contains("probes has 257 names"));
    }

    #[test]
    fn malformed_line_is_reported_with_number_and_advice() {
        let good = encode([&record()]).unwrap();
        for bad in [&b"{}\n"[..], b"\n", b"\xff\xfe\n", b"\0\0\n"] {
            let text = [&good, bad, &good].concat();
            let message = read(&text).unwrap_err().to_string();
            assert!(message.contains("`x.jsonl` line 2"), "{message}");
            assert!(message.ends_with("; remove it"), "{message}");
        }
    }

    #[test]
    fn unknown_key_is_rejected() {
        let text = String::from_utf8(encode([&record()]).unwrap()).unwrap();
        let bad = text.replacen("{\"id\"", "{\"clock\":1,\"id\"", 1);
        assert!(
            read(bad.as_bytes())
                .unwrap_err()
                .to_string()
                .contains("`clock`")
        );
    }

    #[test]
    fn too_long_lines_are_rejected() {
        let mut long = record();
        long.arm = "a".repeat(MAX_LINE);
        assert!(
            encode([&long])
                .unwrap_err()
                .to_string()
                .contains("longer than")
        );
        let spaces = [vec![b' '; MAX_LINE], b"\n".to_vec()].concat();
        assert!(
            read(&spaces)
                .unwrap_err()
                .to_string()
                .contains("longer than")
        );
    }

    #[test]
    fn only_complete_lines_are_read_after_any_cut() {
        let one = encode([&record()]).unwrap();
        let two = [one.clone(), one.clone()].concat();
        for cut in 0..=two.len() {
            let lines = read(&two[..cut]).unwrap();
            assert_eq!(lines.records.len(), cut / one.len());
            assert_eq!(lines.whole + lines.torn, cut);
            assert_eq!(lines.notice(Path::new("x")).is_some(), cut % one.len() > 0);
        }
    }

    proptest! {
        #[test]
        fn finite_numbers_survive_bit_for_bit(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let mut record = record();
            record.epochs[0].train_loss = value;
            let back = read(&encode([&record]).unwrap()).unwrap().records.remove(0);
            prop_assert_eq!(back.epochs[0].train_loss.to_bits(), bits);
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in any::<Vec<u8>>()) {
            let _ = read(&bytes);
        }
    }
}
