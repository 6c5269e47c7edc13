//! Tables of a report, and its files.

use super::*;
use crate::analysis::ArmSummary;
use crate::analysis::fixture::{crossed, diverge, test_scores};
use crate::recipe::Evaluate;
use crate::spec::When;
use proptest::prelude::*;

#[test]
fn factors_have_cell_means_effects_and_figures() {
    let spec = crossed(6, 1);
    let derived = derived(&spec, &records(&spec));
    let report = &derived.report_md;
    for part in [
        "](interaction.svg)",
        "| norm factor | act factor |",
        "norm: `batch` against `none`, act: `tanh` minus `relu`",
        "norm factor: batch label against none label, with tanh label rather than relu label, mean \
         over width factor: difference of improvements in test accuracy",
        "norm factor: batch label against none label, with relu label, mean over width factor",
    ] {
        assert!(report.contains(part), "{part}\n{report}");
    }
    let (_, section) = report.split_once("## Factors").unwrap();
    let (section, _) = section.split_once("## Contrasts").unwrap();
    assert_eq!(section.matches("| batch label").count(), 2);
    assert_eq!(section.matches("against `none`").count(), 3);
}

#[test]
fn effects_without_a_cell_are_counted() {
    let mut spec = crossed(4, 1);
    spec.arms.retain(|arm| arm.name != "none-tanh-8");
    spec.contrasts = vec![spec.contrasts.remove(1)];
    let report = derived(&spec, &records(&spec)).report_md;
    let (_, section) = report.split_once("## Factors").unwrap();
    assert!(section.contains("– |"), "{section}");
    assert!(
        section.contains("6 effects are missing: they need a cell"),
        "{section}"
    );
}

#[test]
fn table_rows_are_as_wide_as_their_header() {
    let mut spec = spec(3, 3, 2);
    spec.arms[0].label = "a | pipe `x|y`\nand a line".to_owned();
    spec.arms
        .iter_mut()
        .for_each(|arm| arm.learning_rates = vec![0.1, 0.01]);
    let mut records = records(&spec);
    diverge(&mut records, "b", 0);
    let report = derived(&spec, &records).report_md;
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let lines: Vec<&str> = report.lines().collect();
    let rows = lines
        .windows(2)
        .filter(|w| w[0].starts_with('|') && w[1].starts_with('|'));
    let mut checked = 0;
    for row in rows {
        assert_eq!(cells(row[0]), cells(row[1]), "{}\n{}", row[0], row[1]);
        assert_eq!(
            row[0].chars().count(),
            row[1].chars().count(),
            "{}\n{}",
            row[0],
            row[1]
        );
        checked += 1;
    }
    assert!(checked > 15, "{checked} rows\n{report}");
    assert!(
        report.contains("(2 of 3)"),
        "a rate at which a seed diverged says so"
    );
}

#[test]
fn spec_without_contrasts_has_a_report() {
    let mut spec = spec(1, 1, 2);
    (spec.claim, spec.sentence) = (None, None);
    let derived = derived(&spec, &records(&spec));
    assert!(derived.report_md.contains("**Answer: no verdict.**"));
    assert!(!derived.report_md.contains("## Contrasts"));
    assert_eq!(derived.figures.len(), 1);
}

#[test]
fn summary_file_is_not_rounded() {
    let spec = spec(2, 6, 2);
    let derived = derived(&spec, &records(&spec));
    let read: Summary = serde_json::from_str(&derived.summary_json).unwrap();
    assert_eq!(read, derived.summary);
    assert!(derived.summary_json.ends_with("}\n"));
    let names: Vec<&str> = derived.files().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "summary.json",
            "report.md",
            "report.html",
            "curves.svg",
            "differences.svg",
            "settling.svg"
        ]
    );
}

#[test]
fn published_results_do_not_change_ours() {
    let mut spec = spec(2, 6, 1);
    let with = derived(&spec, &records(&spec));
    let (_, arms) = with.report_md.split_once("## Arms").unwrap();
    let (arms, rest) = arms.split_once("## Contrasts").unwrap();
    assert!(arms.contains("published test accuracy (%)"), "{arms}");
    assert!(arms.contains("97.9 ± 0.1 (n = 5)"), "{arms}");
    assert!(rest.contains("Somebody 2016, table 1"), "{rest}");
    spec.published.clear();
    let without = derived(&spec, &records(&spec));
    assert!(!without.report_md.contains("published"));
    assert_eq!(with.summary.contrasts, without.summary.contrasts);
    assert_eq!(with.summary.arms, without.summary.arms);
}

#[test]
fn requested_evaluations_have_a_table() {
    let mut spec = spec(2, 6, 4);
    let plain = derived(&spec, &records(&spec));
    assert!(!plain.report_md.contains("*Best*"));
    for arm in &mut spec.arms {
        arm.net_mut().unwrap().train.evaluate = Evaluate::At(vec![1, 2]);
    }
    spec.contrasts[0].when = When::Epoch(2);
    spec.published[0].when = When::Epoch(1);
    let mut records = records(&spec);
    for record in records.iter_mut().filter(|r| r.arm == "b") {
        test_scores(&mut record.epochs[1]).accuracy = 99.0;
    }
    let found = derived(&spec, &records);
    let [a, b] = &found.summary.arms[..] else {
        panic!("two arms");
    };
    let times = |arm: &ArmSummary| arm.evaluations.iter().map(|m| m.when).collect::<Vec<_>>();
    assert_eq!(times(a), [When::Epoch(1), When::Epoch(2)]);
    assert_eq!(times(b), [When::Epoch(2)]);
    assert_eq!(
        b.best.map(|best| (best.mean, best.sd)),
        Some((99.0, Some(0.0)))
    );
    assert!(b.test.as_ref().unwrap().accuracy.mean < 99.0);
    let page = &found.report_md;
    assert!(
        page.contains("| after 1 epoch | after 2 epochs |"),
        "{page}"
    );
    assert!(page.contains("It is chosen on the test scores"), "{page}");
    // The published number is laid beside ours of the same epoch.
    let first = a.test_at(When::Epoch(1)).unwrap().accuracy.mean;
    let row = page
        .lines()
        .find(|l| l.contains("Somebody") && l.contains("after 1 epoch"));
    let difference = crate::text::number::signed(first - 97.9, 2);
    assert!(row.unwrap().contains(&difference), "{difference}: {row:?}");
    assert_eq!(found.summary.contrasts[0].contrast.when, When::Epoch(2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn order_of_records_changes_no_byte(
        shuffled in Just(records(&spec(3, 3, 4))).prop_shuffle()
    ) {
        let spec = spec(3, 3, 4);
        prop_assert_eq!(derived(&spec, &shuffled), derived(&spec, &records(&spec)));
    }
}

#[test]
fn effect_names_its_factor_once() {
    let mut spec = crossed(3, 1);
    for level in &mut spec.factors[0].levels {
        level.label = format!("norm factor {}", level.name);
    }
    let report = derived(&spec, &records(&spec)).report_md;
    assert!(
        report.contains(" norm factor batch against norm factor none, "),
        "{report}"
    );
    assert!(!report.contains("norm factor: norm factor"), "{report}");
}
