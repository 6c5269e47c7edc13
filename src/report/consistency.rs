//! Do the sentences of a report agree with its verdicts? Read from the text, as a reader does.

use crate::analysis::Summary;
use crate::spec::Expect;
use crate::stats::{Interval, Movement, Verdict};
use std::path::PathBuf;

/// The verdicts that a reader accepts for a finding and a prediction, both in the words of a report.
fn acceptable(finding: &str, predicted: &str) -> &'static [&'static str] {
    let small = finding.ends_with("but too small to matter");
    let direction = finding.split(',').next().unwrap_or_default();
    let word = predicted.split([' ', ';']).next().unwrap_or_default();
    match (word, direction) {
        ("better", "better") | ("worse", "worse") | ("differs", "better" | "worse") => {
            match small {
                true => &["supported, but too small to matter"],
                false => &["supported"],
            }
        }
        ("better", "worse") | ("worse", "better") => &["contradicted"],
        ("equivalent", "better" | "worse") if small => &["supported"],
        ("equivalent", _) if finding.ends_with("by more than the margin") => &["contradicted"],
        ("equivalent", "better" | "worse") => &["undecided"],
        ("equivalent", "no difference that matters") => &["supported"],
        ("better" | "worse" | "differs", "no difference that matters") => &["contradicted"],
        // A direction can be ruled out although the other one is not shown; the text must say so.
        ("better" | "worse", "unclear") if predicted.contains("is ruled out") => &["contradicted"],
        (_, "unclear") => &["undecided"],
        _ => &[],
    }
}

/// The populations that a verdict can name.
const HERE: &str = " on this data set";
const NEW_DATA: &str = ", also for new data of this kind";

/// Whether the population that `verdict` names fits what `rest`, the text after the prediction, finds for
/// new data.
fn population_fits(verdict: &str, predicted: &str, rest: &str) -> bool {
    let plain = plain(verdict);
    let first = |text: &str, end: char| text.split(end).next().unwrap_or_default().to_owned();
    let new = rest.split_once("Finding for new data of this kind");
    let new = new.and_then(|(_, text)| text.split_once(": "));
    let holds = new.is_some_and(|(_, text)| {
        let sentence = first(text, '.');
        let finding = first(&sentence, ';');
        let predicted = first(predicted, ';') + &sentence[finding.len()..];
        acceptable(&finding, &predicted).contains(&plain.as_str())
    });
    match plain == "undecided" {
        true => plain == without_length(verdict),
        false => verdict.contains(NEW_DATA) == holds && verdict.contains(HERE) != holds,
    }
}

fn without_population(verdict: &str) -> String {
    verdict.replace(HERE, "").replace(NEW_DATA, "")
}

/// Starts of the sentences about differences that are not shown to have settled.
const UNSETTLED: [&str; 3] = [
    "The difference still moves: ",
    "Whether the difference has settled is unclear: ",
    "Whether the difference has settled cannot be judged: ",
];

/// The length of training in a verdict on a difference that is not shown to have settled: `20 epochs`.
fn length_of(verdict: &str) -> Option<String> {
    let verdict = without_population(verdict);
    let (_, rest) = verdict.split_once(" after ")?;
    Some(rest.split(',').next().unwrap_or_default().to_owned())
}

fn without_length(verdict: &str) -> String {
    match length_of(verdict) {
        Some(length) => verdict.replacen(&format!(" after {length}"), "", 1),
        None => verdict.to_owned(),
    }
}

/// The verdict without its population and length of training.
fn plain(verdict: &str) -> String {
    without_length(&without_population(verdict))
}

/// What "in practice" may say about a finding.
fn practice_fits(finding: &str, practice: &str) -> bool {
    let prefers = practice.contains(" gives better ") && !practice.contains("do not show whether");
    match finding.split(',').next().unwrap_or_default() {
        "better" | "worse" => {
            let more = practice.contains("by more than the margin");
            let less = practice.contains("but by less than the margin");
            prefers
                && more == finding.ends_with("by more than the margin")
                && less == finding.ends_with("too small to matter")
        }
        "unclear" => practice.contains("do not show whether"),
        _ => practice.contains("either will do"),
    }
}

/// The statements of a report that contradict each other, and the number of statements read.
fn contradictions(report: &str) -> (Vec<String>, usize) {
    let (mut wrong, mut read) = (Vec::new(), 0);
    let practice: Vec<&str> = (report.lines())
        .filter(|line| {
            line.contains("here than")
                || line.contains("either will do")
                || line.contains("these data do not show whether")
        })
        .collect();
    let several = report
        .lines()
        .any(|line| line.contains("primary contrasts together:"));
    for line in report.lines() {
        let Some((verdict, rest)) = line
            .strip_prefix("**Answer: ")
            .and_then(|l| l.split_once(".** "))
            .or_else(|| {
                line.strip_prefix("- **")
                    .and_then(|l| l.split_once("** (`"))
            })
        else {
            continue;
        };
        let Some((before, rest)) = rest.split_once("Finding: ") else {
            continue;
        };
        let (finding, rest) = rest.split_once(". Predicted: ").expect("a prediction");
        let predicted = rest
            .split(". ")
            .next()
            .unwrap_or_default()
            .trim_end_matches('.');
        read += 1;
        let verdict = verdict.trim_end_matches(" (fragile)");
        if !population_fits(verdict, predicted, rest) {
            wrong.push(format!("{verdict}: {rest}"));
        }
        let plain = plain(verdict);
        if !acceptable(finding, predicted).contains(&plain.as_str()) {
            wrong.push(format!("{verdict}: {finding}, predicted {predicted}"));
        }
        let unsettled = UNSETTLED.iter().any(|start| rest.contains(start));
        let decided = verdict.starts_with("supported") || verdict.starts_with("contradicted");
        if length_of(verdict).is_some() != (unsettled && decided) {
            wrong.push(format!("{verdict}, but not settled: {unsettled}"));
        }
        let name = before.split('`').next().unwrap_or_default();
        let meaning = practice
            .iter()
            .find(|p| !several || p.starts_with(&format!("- `{name}`: ")));
        if let Some(meaning) = meaning.filter(|m| !practice_fits(finding, m)) {
            wrong.push(format!("{finding}: {meaning}"));
        }
    }
    (wrong, read)
}

/// The verdict, from the numbers and written out anew.
fn by_hand(expect: Expect, low: f64, high: f64, m: f64) -> Verdict {
    let excludes_zero = low > 0.0 || high < 0.0;
    let inside = low > -m && high < m;
    let (yes, no) = match expect {
        Expect::Better => (low > 0.0, high < m),
        Expect::Worse => (high < 0.0, low > -m),
        Expect::Equivalent => (inside, low > m || high < -m),
        Expect::Differs => (excludes_zero, inside),
    };
    match (yes, no) {
        (true, _) => Verdict::Supported,
        (_, true) => Verdict::Contradicted,
        _ => Verdict::Undecided,
    }
}

/// Folders of the committed results that have a summary.
fn committed() -> Vec<(PathBuf, Summary)> {
    let results = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results");
    let folders = std::fs::read_dir(results).expect("results").flatten();
    let read = |folder: PathBuf| {
        let text = std::fs::read_to_string(folder.join("summary.json")).ok()?;
        let summary = serde_json::from_str(&text).expect("a summary");
        Some((folder, summary))
    };
    folders.filter_map(|entry| read(entry.path())).collect()
}

#[test]
fn committed_reports_agree_with_their_verdicts() {
    let mut statements = 0;
    for (folder, summary) in committed() {
        let report = std::fs::read_to_string(folder.join("report.md")).expect("a report");
        let (wrong, read) = contradictions(&report);
        assert!(wrong.is_empty(), "{}: {wrong:#?}", summary.name);
        let primary = summary.contrasts.iter().filter(|c| c.contrast.primary);
        let decided = primary.filter(|c| c.decision.is_some()).count();
        assert_eq!(
            read, decided,
            "{}: every primary contrast is read",
            summary.name
        );
        statements += read;
    }
    assert!(statements > 40, "{statements}");
}

#[test]
fn populations_that_do_not_fit_are_noticed() {
    let wrong = |verdict: &str, finding: &str, predicted: &str, new: &str| {
        let text = format!(
            "**Answer: {verdict}.** a against b: +1. Finding: {finding}. Predicted: {predicted}. Finding for \
             new data of this kind{new}. At this spread more.\n"
        );
        contradictions(&text).0.len()
    };
    let (here, also) = (
        "supported on this data set",
        "supported, also for new data of this kind",
    );
    let (sure, open) = (
        " (+0.1 to +0.9 points): better",
        " (-0.1 to +1.9 points): unclear",
    );
    for (verdict, new, expected) in [
        (also, sure, 0),
        (here, open, 0),
        (here, ": not known", 0),
        (here, sure, 1),
        (also, open, 1),
        (also, ": not known", 1),
        ("supported", sure, 1),
        ("supported", open, 1),
    ] {
        assert_eq!(
            wrong(verdict, "better", "better", new),
            expected,
            "{verdict}{new}"
        );
    }
    assert_eq!(wrong("undecided", "unclear", "better", open), 0);
    assert_eq!(
        wrong("undecided on this data set", "unclear", "better", open),
        1
    );
    let ruled_out = "; a gain as large as the margin is ruled out";
    let predicted = format!("better{ruled_out}");
    for (new, verdict) in [
        (
            format!("{open}{ruled_out}"),
            "contradicted, also for new data of this kind",
        ),
        (open.to_owned(), "contradicted on this data set"),
    ] {
        assert_eq!(wrong(verdict, "unclear", &predicted, &new), 0, "{new}");
    }
}

#[test]
fn committed_verdicts_follow_from_their_intervals() {
    for (_, summary) in committed() {
        let primary = summary
            .contrasts
            .iter()
            .filter(|c| c.contrast.primary)
            .count();
        for contrast in &summary.contrasts {
            let asked = &contrast.contrast;
            let name = format!("{}: {}", summary.name, asked.name);
            let Some(decision) = &contrast.decision else {
                continue;
            };
            let level = if asked.primary {
                1.0 - 0.05 / primary as f64
            } else {
                0.95
            };
            assert_eq!(decision.confidence, level, "{name}");
            let interval = decision.interval.expect("many seeds");
            let verdict = by_hand(asked.expect, interval.low, interval.high, asked.margin);
            assert_eq!(contrast.verdict, asked.primary.then_some(verdict), "{name}");
        }
    }
}

#[test]
fn committed_movements_follow_from_their_intervals() {
    for (_, summary) in committed() {
        for contrast in &summary.contrasts {
            let Some(fitted) = contrast.fitted_change() else {
                continue;
            };
            let name = format!("{}: {}", summary.name, contrast.contrast.name);
            assert_eq!(fitted.limit, contrast.contrast.margin / 2.0, "{name}");
            let Some(Interval { low, high }) = fitted.interval else {
                assert_eq!(fitted.movement, Movement::Unclear, "{name}");
                continue;
            };
            let differs = low > 0.0 || high < 0.0;
            let expected = match fitted.change.abs() > fitted.limit && differs {
                true => Movement::Moves,
                false if low.abs().max(high.abs()) < fitted.limit => Movement::Settled,
                false => Movement::Unclear,
            };
            assert_eq!(fitted.movement, expected, "{name}");
            let words = contrast.verdict_words();
            let decided = matches!(
                contrast.verdict,
                Some(Verdict::Supported | Verdict::Contradicted)
            );
            let worded = length_of(&words).is_some();
            assert_eq!(worded, decided && expected != Movement::Settled, "{name}");
        }
    }
}

#[test]
fn unsettled_differences_without_a_length_are_noticed() {
    let report = |verdict: &str, moving: &str| {
        let text = format!(
            "**Answer: {verdict}.** a against b: +1. Finding: better. Predicted: better. {moving}\n"
        );
        contradictions(&text).0.len()
    };
    let moving = "The difference still moves: over epochs 8 to 10 it changed by +0.4 points.";
    for (verdict, moving, wrong) in [
        ("supported after 10 epochs on this data set", moving, 0),
        ("supported on this data set", moving, 1),
        ("supported after 10 epochs on this data set", "", 1),
        (
            "supported on this data set",
            "Whether the difference has settled is unclear: over epochs 8 to 10.",
            1,
        ),
        (
            "supported on this data set",
            "The difference has settled.",
            0,
        ),
        ("undecided after 10 epochs", moving, 2),
    ] {
        assert_eq!(report(verdict, moving), wrong, "{verdict} {moving}");
    }
    let small = "supported after 10 epochs on this data set, but too small to matter";
    assert_eq!(length_of(small).as_deref(), Some("10 epochs"));
    assert_eq!(plain(small), "supported, but too small to matter");
}

#[test]
fn contradicting_sentences_are_noticed() {
    let report = |verdict: &str, finding: &str, predicted: &str, practice: &str| {
        let population = if verdict == "undecided" { "" } else { HERE };
        let text = format!(
            "**Answer: {verdict}{population}.** a against b: +1. Finding: {finding}. Predicted: {predicted}.\n\n\
             **In practice:** {practice}\n"
        );
        contradictions(&text).0.len()
    };
    let (better, open) = (
        "a gives better NLL here than b, but possibly by less than the margin of 1.",
        "these data do not show whether a or b gives better NLL.",
    );
    for (verdict, finding, predicted, practice, wrong) in [
        ("supported", "better", "better", better, 0),
        ("undecided", "better", "better", better, 1),
        ("supported", "better", "better", open, 1),
        ("undecided", "no difference that matters", "better", open, 2),
        ("contradicted", "unclear", "better", open, 1),
        (
            "contradicted",
            "unclear",
            "better; a gain as large as the margin is ruled out",
            open,
            0,
        ),
        (
            "supported",
            "better, but too small to matter",
            "better",
            better,
            2,
        ),
        ("supported", "worse", "equivalent within ±1", better, 1),
    ] {
        let found = report(verdict, finding, predicted, practice);
        assert_eq!(found, wrong, "{verdict} {finding} {predicted}");
    }
}
