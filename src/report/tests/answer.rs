//! The answer at the top of a report.

use super::*;
use crate::analysis::fixture::{crossed, diverge, test_scores};
use crate::report::overview;
use crate::stats::Verdict;

#[test]
fn report_answers_before_any_table() {
    let report = improved(Expect::Better, &[1.0, 2.0, 1.5, 2.5, 1.0, 2.0, 1.5, 2.5]);
    let order = [
        "# Is the bias needed?",
        "Does a bias before batch norm change anything?",
        "> **C6.** With `center=True`",
        "**Answer: supported after 2 epochs on this data set.** B label against a label: improvement in test accuracy +1.75 points",
        "**In practice:** b label gives better test accuracy here than a label",
        "**How to read it**",
        "](curves.svg)",
        "](differences.svg)",
        "## Arms",
        "## Contrasts",
        "## Probes",
        "## Published results beside ours",
        "## How this was made",
    ];
    let places: Vec<Option<usize>> = order.iter().map(|part| report.find(part)).collect();
    assert!(places.iter().all(Option::is_some), "{places:?}\n{report}");
    assert!(places.is_sorted(), "{places:?}\n{report}");
}

#[test]
fn effect_has_interval_pairs_and_margin() {
    let report = improved(Expect::Better, &[1.0, 2.0, 1.5, 2.5, 1.0, 2.0, 1.5, 2.5]);
    // Mean 1.75, SD 0.59761, t(0.975, 7) = 2.364624: half width 0.49962.
    assert!(
        report.contains("+1.75 points (95 % interval +1.25 to +2.25, 8 pairs, margin 0.25 points)"),
        "{report}"
    );
}

#[test]
fn undecided_and_equivalent_contrasts_have_power() {
    let undecided = improved(Expect::Better, &[1.0, -1.0, 2.0, -2.0, 0.5, -0.4, 0.1, 0.2]);
    assert!(undecided.contains("**Answer: undecided.**"), "{undecided}");
    assert!(
        undecided.contains("8 pairs have 80 % power to show a difference of"),
        "{undecided}"
    );
    let equivalent = improved(Expect::Equivalent, &[0.01, -0.01, 0.02, -0.02, 0.01, -0.01]);
    assert!(
        equivalent.contains("**Answer: supported after 2 epochs on this data set.**"),
        "{equivalent}"
    );
    assert!(
        equivalent.contains("6 pairs have 80 % power to show equivalence within"),
        "{equivalent}"
    );
    let few = improved(Expect::Better, &[1.0, 1.1, 1.2]);
    assert!(few.contains("With 3 seeds an interval rests on"), "{few}");
}

#[test]
fn power_follows_verdicts_without_a_difference() {
    // Undecided; equivalent; better, contradicted because any improvement is below the margin.
    for (expect, values) in [
        (Expect::Better, [1.0, -1.0, 2.0, -2.0, 0.5, -0.4, 0.1, 0.2]),
        (Expect::Differs, [1.0, -1.0, 2.0, -2.0, 0.5, -0.4, 0.1, 0.2]),
        (
            Expect::Equivalent,
            [1.0, -1.0, 2.0, -2.0, 0.5, -0.4, 0.1, 0.2],
        ),
        (
            Expect::Equivalent,
            [0.01, -0.01, 0.02, -0.02, 0.01, -0.01, 0.0, 0.01],
        ),
        (
            Expect::Better,
            [0.01, -0.01, 0.02, -0.02, 0.01, -0.01, 0.0, 0.01],
        ),
    ] {
        let report = improved(expect, &values);
        let (verdict, _) = report.split_once("**How to read it**").unwrap();
        assert!(
            verdict.contains("8 pairs have 80 % power to show"),
            "{verdict}"
        );
        let (_, notes) = report.split_once("## Contrasts").unwrap();
        assert!(
            !notes.contains("8 pairs have 80 % power"),
            "said twice: {notes}"
        );
    }
    let clear = improved(Expect::Better, &[1.0, 2.0, 1.5, 2.5, 1.0, 2.0, 1.5, 2.5]);
    assert!(!clear.contains("8 pairs have 80 % power"), "{clear}");
}

#[test]
fn interactions_have_power() {
    let spec = crossed(8, 1);
    let mut records = records(&spec);
    for (k, record) in records.iter_mut().enumerate() {
        test_scores(&mut record.epochs[0]).accuracy = 90.0 + (k * k % 7) as f64;
    }
    let derived = derived(&spec, &records);
    let undecided = derived
        .summary
        .contrasts
        .iter()
        .filter(|c| c.verdict == Some(Verdict::Undecided));
    let count = undecided.count();
    assert!(count > 0);
    assert!(
        derived
            .report_md
            .matches("8 seeds have 80 % power to show")
            .count()
            >= count
    );
    let page = overview(&[], &[derived.summary]);
    assert!(
        page.contains("detectable") && page.contains("points |"),
        "{page}"
    );
}

#[test]
fn supported_difference_below_the_margin_is_named() {
    let report = improved(
        Expect::Better,
        &[0.05, 0.06, 0.04, 0.05, 0.06, 0.04, 0.05, 0.06],
    );
    for part in [
        "**Answer: supported after 2 epochs on this data set, but too small to matter.**",
        "Finding: better, but too small to matter. Predicted: better. Finding for new data of this kind: \
         not known.",
        "but by less than the margin of 0.25 points.",
        "| better, but too small to matter |          not known | –                 | **supported after 2 \
         epochs on this data set, but too small to matter** |",
    ] {
        assert!(report.contains(part), "{part}\n{report}");
    }
}

#[test]
fn exact_equality_is_named() {
    let report = improved(Expect::Equivalent, &[0.0; 6]);
    assert!(
        report.contains("exactly the same test accuracy in all 6 pairs"),
        "{report}"
    );
    assert!(!report.contains("NaN"), "{report}");
}

#[test]
fn too_few_pairs_are_undecided() {
    let spec = spec(2, 2, 1);
    let mut records = records(&spec);
    diverge(&mut records, "b", 0);
    let report = derived(&spec, &records).report_md;
    assert!(
        report.contains(
            "**Answer: undecided.** B label against a label: only 1 finished pair, too few"
        )
    );
    assert!(
        report.contains("At least two pairs are needed for a decision."),
        "{report}"
    );
}

#[test]
fn fragile_verdict_names_the_seed() {
    let report = improved(Expect::Better, &[1.0, 1.5, 2.0, -3.0, 1.5, 2.0, 1.0, 1.5]);
    assert!(
        report.contains("**Answer: undecided (fragile).**"),
        "{report}"
    );
    assert!(
        report.contains("Fragile: leaving out seed 3 alone makes it supported."),
        "{report}"
    );
    let clear = improved(Expect::Better, &[1.0, 2.0, 1.5, 2.5, 1.0, 2.0, 1.5, 2.5]);
    assert!(!clear.to_lowercase().contains("fragile"), "{clear}");
}

#[test]
fn averages_are_read_only_without_an_interaction() {
    let spec = crossed(6, 1);
    let mut records = records(&spec);
    for record in &mut records {
        // The norm gains two points with tanh and none with ReLU, at either width.
        let gain = if record.arm.starts_with("batch-tanh") {
            2.0
        } else {
            0.0
        };
        record.epochs[0].test.as_mut().unwrap().accuracy = 90.0 + gain + 0.001 * record.seed as f64;
    }
    let derived = derived(&spec, &records);
    let over = |k: usize| derived.summary.contrasts[k].mixed_over.clone();
    assert_eq!(over(0), ["act"]);
    assert!(over(1).is_empty() && over(2).is_empty());
    let report = &derived.report_md;
    let said = "o not read this average: an interaction with act factor is not excluded";
    // In the notes on the contrast, in its answer, and in the table of effects.
    assert_eq!(report.matches(said).count(), 3, "{report}");
    assert!(
        !report.contains("with width factor is not excluded"),
        "{report}"
    );
}
