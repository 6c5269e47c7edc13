//! JSON lines of records, as in the journal and in `runs.jsonl`.
//!
//! Each line ends with a checksum of the rest of the line. A line that does not pass is damaged: its cell
//! counts as missing. Files of the older format have no checksums at all; they are accepted, and get
//! checksums when they are written again.

mod check;
mod format;
mod line;

pub(super) use check::check;
pub use format::RecordError;
pub(super) use format::encode;
pub(super) use line::{Intact, cell_of, id_of, read};
pub use line::{Line, LinesById};

use super::damage::Damage;
use crate::record::CellRecord;
use format::has_checksum;
use rayon::prelude::*;
use std::path::Path;

/// Lines that are parsed at the same time.
const BLOCK: usize = 256;

/// The intact lines of a file, each as a `T`.
#[derive(Debug)]
pub(super) struct Lines<T> {
    /// What is kept of the intact lines, in their order.
    pub(super) records: Vec<T>,
    /// The numbers of the intact lines, from 1.
    pub(super) numbers: Vec<usize>,
    /// The damaged lines.
    pub(super) damaged: Vec<Damage>,
    /// Whether the file has the older format, without checksums.
    pub(super) unchecked: bool,
    /// Length of the complete lines, in bytes.
    pub(super) whole: usize,
    /// Length of an unfinished last line, in bytes.
    pub(super) torn: usize,
}

impl<T> Lines<T> {
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

/// Parses the lines of `bytes`, the content of `path`. A last line without a line break is dropped. `read` returns what
/// to keep of a line, or why it is damaged; its second argument is [`Lines::unchecked`].
pub(super) fn parse<T: Send>(
    path: &Path,
    bytes: &[u8],
    read: impl Fn(&[u8], bool) -> Result<T, String> + Sync,
) -> Lines<T> {
    let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
    let lines: Vec<&[u8]> = bytes[..whole].split_inclusive(|&b| b == b'\n').collect();
    let unchecked = are_unchecked(&lines);
    let mut records = Vec::with_capacity(lines.len());
    let (mut numbers, mut damaged, mut number) = (Vec::new(), Vec::new(), 0);
    for block in lines.chunks(16 * BLOCK) {
        let parsed: Vec<Result<T, String>> = (block.par_iter().with_min_len(BLOCK))
            .map(|line| read(line, unchecked))
            .collect();
        for (line, parsed) in block.iter().zip(parsed) {
            number += 1;
            match parsed {
                Ok(record) => {
                    records.push(record);
                    numbers.push(number);
                }
                Err(why) => damaged.push(Damage::new(path, number, why, line)),
            }
        }
    }
    Lines {
        records,
        numbers,
        damaged,
        unchecked,
        whole,
        torn: bytes.len() - whole,
    }
}

/// The first intact record of `bytes`.
pub(super) fn first(bytes: &[u8]) -> Option<CellRecord> {
    let lines: Vec<&[u8]> = bytes.split_inclusive(|&b| b == b'\n').collect();
    let unchecked = are_unchecked(&lines);
    (lines.iter()).find_map(|line| format::decode(line, unchecked).ok())
}

/// Whether `lines` are of the older format, without checksums.
fn are_unchecked(lines: &[&[u8]]) -> bool {
    !lines.is_empty() && !lines.iter().any(|line| has_checksum(line))
}

#[cfg(test)]
mod tests {
    use super::format::MAX_LINE;
    use super::*;
    use crate::record::{EpochRecord, LONGEST_SERIES, MOST_NAMES, Misclassified, Outcome, Scores};
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

    fn read(bytes: &[u8]) -> Lines<CellRecord> {
        parse(Path::new("x.jsonl"), bytes, |line, unchecked| {
            super::read(line, unchecked, |_| None)
        })
    }

    fn records(bytes: &[u8]) -> Vec<CellRecord> {
        read(bytes).records
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
