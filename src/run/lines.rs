//! JSON lines of records, as in the journal and in `runs.jsonl`.
//!
//! Each line ends with a checksum of the rest of the line. A line that does not pass is damaged: its cell
//! counts as missing. Files of the older format have no checksums at all; they are accepted, and get
//! checksums when they are written again.

use super::damage::Damage;
use crate::files::FileError;
use crate::record::{CellRecord, EpochRecord, LONGEST_SERIES, MOST_NAMES, Outcome, Scores};
use sha2::{Digest, Sha256};
use std::borrow::Borrow;
use std::path::Path;

/// Longest line in bytes, enough for about 50,000 epochs.
const MAX_LINE: usize = 16 << 20;

/// Largest rounding error of an accuracy in percent, and of another score.
const ROUNDING: f64 = 1e-6;
/// Start of the last field of a line.
const FIELD: &[u8] = br#","checksum":""#;
/// Hexadecimal digits of a checksum: 64 bits of SHA-256.
const DIGITS: usize = 16;
/// End of a line after its checksum.
const END: &[u8] = b"\"}\n";

/// An error in reading or writing records.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
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
    /// The intact records and the numbers of their lines, in the order of the lines.
    pub(super) records: Vec<(usize, CellRecord)>,
    /// The damaged lines.
    pub(super) damaged: Vec<Damage>,
    /// Whether the file has the older format, without checksums.
    pub(super) unchecked: bool,
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

    /// Moves the records for which `fault` has a reason to the damaged lines. `bytes` is the content of
    /// `path`, which the lines were parsed from.
    pub(super) fn set_aside(
        &mut self,
        path: &Path,
        bytes: &[u8],
        mut fault: impl FnMut(&CellRecord) -> Option<String>,
    ) {
        let text: Vec<&[u8]> = bytes.split_inclusive(|&b| b == b'\n').collect();
        let damaged = &mut self.damaged;
        self.records.retain(|(number, record)| {
            let why = fault(record);
            let keeps = why.is_none();
            damaged.extend(why.map(|why| Damage::new(path, *number, why, text[number - 1])));
            keeps
        });
    }
}

/// Parses the lines of `bytes`, the content of `path`. A last line without a line break is dropped.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Lines {
    let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
    let lines = || bytes[..whole].split_inclusive(|&b| b == b'\n');
    let unchecked = whole > 0 && !lines().any(|line| split(line).is_some());
    let (mut records, mut damaged) = (Vec::new(), Vec::new());
    for (line, number) in lines().zip(1..) {
        match decode(line, unchecked) {
            Ok(record) => records.push((number, record)),
            Err(why) => damaged.push(Damage::new(path, number, why, line)),
        }
    }
    Lines {
        records,
        damaged,
        unchecked,
        whole,
        torn: bytes.len() - whole,
    }
}

/// Splits a line into the part that the checksum covers, without its closing brace, and the checksum.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = line.strip_suffix(END)?;
    let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
    Some((rest.strip_suffix(FIELD)?, digits))
}

/// Checksum of a line, given the line without its last field and closing brace.
fn checksum(body: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(body)
        .chain_update(b"}")
        .finalize();
    let mut digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.truncate(DIGITS);
    digits
}

fn decode(line: &[u8], unchecked: bool) -> Result<CellRecord, String> {
    if line.len() > MAX_LINE {
        return Err(format!("it is longer than {MAX_LINE} bytes"));
    }
    let record = match split(line) {
        Some((body, digits)) if checksum(body).as_bytes() == digits => {
            serde_json::from_slice(&[body, b"}"].concat())
        }
        Some(_) => return Err("its checksum does not match its content".to_owned()),
        None if unchecked => serde_json::from_slice(line),
        None => return Err("it has no checksum, but other lines of the file have one".to_owned()),
    };
    let record = record.map_err(|e| format!("it is not a record: {e}"))?;
    check(&record)?;
    Ok(record)
}

/// Formats `records` as lines.
pub(super) fn encode<R: Borrow<CellRecord>>(
    records: impl IntoIterator<Item = R>,
) -> Result<Vec<u8>, RecordError> {
    let mut bytes = Vec::new();
    for record in records {
        let record = record.borrow();
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
    // Without the closing brace.
    bytes.pop();
    let digits = checksum(&bytes[start..]);
    bytes.extend([FIELD, digits.as_bytes(), END].concat());
    if bytes.len() - start > MAX_LINE {
        return Err(format!("its line is longer than {MAX_LINE} bytes"));
    }
    Ok(())
}

/// Checks that all numbers of a record are finite (JSON would turn others into `null`), that scores are
/// in their ranges, and that its epochs ascend and fit its outcome.
pub(super) fn check(record: &CellRecord) -> Result<(), String> {
    if let Some(rate) = record.learning_rate {
        finite("learning_rate", rate)?;
    }
    let mut last = None;
    for epoch in &record.epochs {
        if epoch.step.is_some() != record.epochs[0].step.is_some() {
            return Err("it counts some evaluations in steps and some in epochs".to_owned());
        }
        let place = epoch.place();
        if let Some(last) = last.filter(|last| place <= *last) {
            return Err(format!("an evaluation at {place} follows one at {last}"));
        }
        last = Some(place);
        check_epoch(epoch)?;
    }
    check_probes(record)?;
    check_misclassified(record)?;
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

/// Checks that the misclassified images are those of a finished cell, and as many as its accuracy says.
fn check_misclassified(record: &CellRecord) -> Result<(), String> {
    let Some(list) = &record.misclassified else {
        return Ok(());
    };
    let last = record.epochs.last().and_then(|epoch| epoch.test);
    let Some(Scores { accuracy, .. }) = last.filter(|_| record.outcome == Outcome::Done) else {
        return Err("it is not finished, but lists misclassified images".to_owned());
    };
    let counted = list.accuracy();
    if (counted - accuracy).abs() > ROUNDING {
        return Err(format!(
            "its last test accuracy is {accuracy}, but {} of {} images misclassified give {counted}",
            list.indices().len(),
            list.tested()
        ));
    }
    Ok(())
}

fn check_epoch(epoch: &EpochRecord) -> Result<(), String> {
    let at = |name: &str| format!("{name} of epoch {}", epoch.epoch);
    // A program reports metrics; a net has a training loss and test scores.
    if epoch.metrics.is_empty() && (epoch.train_loss.is_none() || epoch.test.is_none()) {
        return Err(format!(
            "{} must have `metrics`, or `train_loss` and `test`",
            at("the evaluation")
        ));
    }
    if let Some(loss) = epoch.train_loss {
        finite(&at("train_loss"), loss)?;
    }
    if epoch.metrics.len() > MOST_NAMES {
        let found = epoch.metrics.len();
        return Err(format!("metrics has {found} names, more than {MOST_NAMES}"));
    }
    for (name, &value) in &epoch.metrics {
        finite(&at(&format!("metrics.{name}")), value)?;
    }
    for (set, scores) in [("validation", epoch.validation), ("test", epoch.test)] {
        let Some(scores) = scores else { continue };
        let Scores { accuracy, nll, ece } = scores;
        within(&at(&format!("{set}.accuracy")), accuracy, 100.0)?;
        within(&at(&format!("{set}.nll")), nll, f64::INFINITY)?;
        within(&at(&format!("{set}.ece")), ece, 100.0)?;
    }
    Ok(())
}

/// Checks that a score is finite and between 0 and `most`, except for rounding.
fn within(name: &str, value: f64, most: f64) -> Result<(), String> {
    finite(name, value)?;
    match (-ROUNDING..=most + ROUNDING).contains(&value) {
        true => Ok(()),
        false if most.is_finite() => Err(format!("{name} is {value}, not between 0 and {most}")),
        false => Err(format!("{name} is {value}, less than 0")),
    }
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
    use crate::record::Misclassified;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

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
            learning_rate: Some(0.001),
            device: "flex".into(),
            outcome: Outcome::Done,
            epochs: vec![EpochRecord {
                epoch: 1,
                step: None,
                train_loss: Some(0.25),
                validation: Some(test),
                test: Some(test),
                metrics: BTreeMap::new(),
            }],
            probes: [("train_accuracy".to_owned(), 99.0)].into(),
            traces: [("effective_units".to_owned(), vec![3.0])].into(),
            series: [("ablation_curve".to_owned(), vec![98.0, 50.0, 10.0])].into(),
            misclassified: None,
        }
    }

    fn test(record: &mut CellRecord) -> &mut Scores {
        record.epochs[0].test.as_mut().unwrap()
    }

    fn read(bytes: &[u8]) -> Lines {
        parse(Path::new("x.jsonl"), bytes)
    }

    fn records(bytes: &[u8]) -> Vec<CellRecord> {
        let records = read(bytes).records.into_iter();
        records.map(|(_, record)| record).collect()
    }

    /// A line of the older format, without a checksum.
    fn old(record: &CellRecord) -> String {
        serde_json::to_string(record).unwrap() + "\n"
    }

    fn damage(bytes: &[u8]) -> String {
        let lines = read(bytes);
        let first = lines.damaged.first().expect("a line is damaged");
        first.to_string()
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
                r#""series":{"ablation_curve":[98.0,50.0,10.0]},"checksum":"0d215da9b32e6c19"}"#,
                "\n"
            )
        );
        assert_eq!(records(text.as_bytes()), [record()]);
    }

    #[test]
    fn changed_byte_is_found_at_every_place() {
        let good = encode([&record(), &record()]).unwrap();
        for at in 0..good.len() {
            for bit in [0, 1, 5, 7] {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                let lines = read(&bad);
                assert!(lines.records.len() < 2, "byte {at}, bit {bit}");
                assert!(!lines.damaged.is_empty() || lines.torn > 0);
            }
        }
    }

    #[test]
    fn only_line_of_a_file_is_protected_too() {
        let good = encode([&record()]).unwrap();
        for at in 0..good.len() {
            for byte in [b'7', b'"', b' ', b'\n'] {
                let mut bad = good.clone();
                bad[at] = byte;
                assert!(bad == good || records(&bad).is_empty(), "byte {at}");
            }
        }
    }

    #[test]
    fn lines_without_checksum_need_a_file_without_any() {
        let (new, old) = (encode([&record()]).unwrap(), old(&record()).into_bytes());
        let lines = read(&[&old[..], &old].concat());
        assert_eq!((lines.records.len(), lines.unchecked), (2, true));
        let lines = read(&[&old[..], &new].concat());
        assert_eq!((lines.records.len(), lines.unchecked), (1, false));
        let text = lines.damaged[0].to_string();
        assert!(text.contains("no checksum, but other lines"), "{text}");
    }

    #[test]
    fn scores_must_be_in_range() {
        type Set = fn(&mut CellRecord);
        let cases: [(Set, &str); 4] = [
            (
                |r| test(r).accuracy = 975.0,
                "test.accuracy of epoch 1 is 975, not between",
            ),
            (
                |r| test(r).nll = -0.5,
                "test.nll of epoch 1 is -0.5, less than 0",
            ),
            (
                |r| test(r).ece = -1.0,
                "test.ece of epoch 1 is -1, not between",
            ),
            (
                |r| r.epochs[0].validation.as_mut().unwrap().accuracy = 101.0,
                "validation.accuracy of epoch 1 is 101",
            ),
        ];
        for (set, why) in cases {
            let mut bad = record();
            set(&mut bad);
            let text = damage(old(&bad).as_bytes());
            assert!(text.contains(why), "{text}");
        }
    }

    #[test]
    fn misclassified_images_must_fit_the_accuracy() {
        let list = |n: u32| Misclassified::new(40, 100, (0..n).map(|i| 3 * i).collect()).ok();
        let mut good = record();
        good.misclassified = list(1);
        let line = encode([&good]).unwrap();
        assert_eq!(records(&line), [good.clone()]);
        assert!(line.len() < encode([&record()]).unwrap().len() + 60);
        let mut more = good.clone();
        more.misclassified = list(2);
        let why = check(&more).unwrap_err();
        assert!(
            why.contains("2 of 40 images misclassified give 95"),
            "{why}"
        );
        let mut cut = good.clone();
        cut.outcome = Outcome::Diverged { epoch: 2 };
        assert!(check(&cut).unwrap_err().contains("not finished"));
        let bad = old(&good).replace(r#""tested":40"#, r#""tested":400"#);
        let why = damage(bad.as_bytes());
        assert!(why.contains("400 test images of a file with 100"), "{why}");
    }

    #[test]
    fn non_finite_numbers_are_rejected_in_every_field() {
        type SetField = fn(&mut CellRecord, f64);
        let fields: [(&str, SetField); 10] = [
            ("learning_rate", |r, x| r.learning_rate = Some(x)),
            ("train_loss of epoch 1", |r, x| {
                r.epochs[0].train_loss = Some(x);
            }),
            ("metrics.m of epoch 1", |r, x| {
                r.epochs[0].metrics.insert("m".into(), x);
            }),
            ("validation.nll of epoch 1", |r, x| {
                r.epochs[0].validation.as_mut().unwrap().nll = x;
            }),
            ("test.accuracy of epoch 1", |r, x| {
                test(r).accuracy = x;
            }),
            ("test.nll of epoch 1", |r, x| test(r).nll = x),
            ("test.ece of epoch 1", |r, x| test(r).ece = x),
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
        let null = old(&record()).replace("0.25", "null");
        let text = damage(null.as_bytes());
        assert!(text.starts_with("`x.jsonl` line 1 "), "{text}");
        assert!(
            text.contains("must have `metrics`, or `train_loss` and `test`"),
            "{text}"
        );

        for number in ["1e999", "NaN"] {
            let bad = old(&record()).replace("0.25", number);
            let text = damage(bad.as_bytes());
            assert!(text.starts_with("`x.jsonl` line 1 "), "{text}");
            assert!(text.contains("it is not a record: "), "{text}");
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
    fn malformed_line_leaves_the_others() {
        let good = encode([&record()]).unwrap();
        for bad in [&b"{}\n"[..], b"\n", b"\xff\xfe\n", b"\0\0\n"] {
            let text = [&good, bad, &good].concat();
            assert_eq!(records(&text).len(), 2);
            assert!(damage(&text).starts_with("`x.jsonl` line 2 "));
        }
    }

    #[test]
    fn unknown_key_is_rejected() {
        let bad = old(&record()).replacen("{\"id\"", "{\"clock\":1,\"id\"", 1);
        assert!(damage(bad.as_bytes()).contains("`clock`"));
    }

    #[test]
    fn too_long_lines_are_rejected() {
        let mut long = record();
        long.arm = "a".repeat(MAX_LINE);
        let message = encode([&long]).unwrap_err().to_string();
        assert!(message.contains("longer than"), "{message}");
        let spaces = [vec![b' '; MAX_LINE], b"\n".to_vec()].concat();
        assert!(damage(&spaces).contains("longer than"));
    }

    #[test]
    fn only_complete_lines_are_read_after_any_cut() {
        let one = encode([&record()]).unwrap();
        let two = [one.clone(), one.clone()].concat();
        for cut in 0..=two.len() {
            let lines = read(&two[..cut]);
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
            record.epochs[0].train_loss = Some(value);
            let back = records(&encode([&record]).unwrap()).remove(0);
            prop_assert_eq!(back.epochs[0].train_loss.map(f64::to_bits), Some(bits));
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(bytes in any::<Vec<u8>>()) {
            let _ = read(&bytes);
        }
    }
}
