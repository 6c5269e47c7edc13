use super::{Derived, claim_page, claims_text, derive, overview, overview_table};
use crate::analysis::fixture::{crossed, diverge, records, set_accuracy, spec};
use crate::analysis::{ArmSummary, IdentitySummary, Summary, summarize};
use crate::recipe::Evaluate;
use crate::record::CellRecord;
use crate::spec::{Claim, Expect, Identity, InPractice, Spec, When};
use crate::stats::Verdict;
use proptest::prelude::*;

fn derived(spec: &Spec, records: &[CellRecord]) -> Derived {
    derive(spec, records, None).expect("records of one run")
}

fn summary(claim: Option<&str>, name: &str) -> Summary {
    let mut spec = spec(2, 6, 1);
    spec.name = name.to_owned();
    spec.claim = claim.map(str::to_owned);
    summarize(&spec, &records(&spec)).expect("records of one run")
}

/// The report of two arms with the improvement `values` per seed.
fn improved(expect: Expect, values: &[f64]) -> String {
    let mut spec = spec(2, values.len() as u64, 1);
    spec.contrasts[0].expect = expect;
    let mut records = records(&spec);
    for (seed, value) in (0..).zip(values) {
        set_accuracy(&mut records, "a", seed, 90.0);
        set_accuracy(&mut records, "b", seed, 90.0 + value);
    }
    derived(&spec, &records).report_md
}

#[test]
fn report_answers_before_any_table() {
    let report = improved(Expect::Better, &[1.0, 2.0, 1.5, 2.5, 1.0, 2.0, 1.5, 2.5]);
    let order = [
        "# Is the bias needed?",
        "Does a bias before batch norm change anything?",
        "> **C6.** With `center=True`",
        "**Answer: supported.** b label against a label: improvement in test accuracy +1.75 points",
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
        equivalent.contains("**Answer: supported.**"),
        "{equivalent}"
    );
    assert!(
        equivalent.contains("6 pairs have 80 % power to show equivalence within"),
        "{equivalent}"
    );
    let few = improved(Expect::Better, &[1.0, 1.1, 1.2]);
    assert!(few.contains("With 3 pairs a t interval rests on"), "{few}");
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
        assert!(notes.contains("8 pairs have 80 % power to show"), "{notes}");
    }
    let clear = improved(Expect::Better, &[1.0, 2.0, 1.5, 2.5, 1.0, 2.0, 1.5, 2.5]);
    assert!(!clear.contains("8 pairs have 80 % power"), "{clear}");
}

#[test]
fn interactions_have_power() {
    let spec = crossed(8, 1);
    let mut records = records(&spec);
    for (k, record) in records.iter_mut().enumerate() {
        record.epochs[0].test.accuracy = 90.0 + (k * k % 7) as f64;
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
            >= 2 * count
    );
    let page = overview(&[], &[derived.summary]);
    assert!(
        page.contains("detectable") && page.contains("points |"),
        "{page}"
    );
}

#[test]
fn factors_have_cell_means_effects_and_figures() {
    let spec = crossed(6, 1);
    let derived = derived(&spec, &records(&spec));
    let report = &derived.report_md;
    for part in [
        "](interaction.svg)",
        "](dose-response.svg)",
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
fn supported_difference_below_the_margin_is_named() {
    let report = improved(
        Expect::Better,
        &[0.05, 0.06, 0.04, 0.05, 0.06, 0.04, 0.05, 0.06],
    );
    for part in [
        "**Answer: supported, but too small to matter.**",
        "Finding: better, but too small to matter. Predicted: better.",
        "but by less than the margin of 0.25 points.",
        "| better, but too small to matter | **supported, but too small to matter** |",
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
            "**Answer: undecided.** b label against a label: only 1 finished pair, too few"
        )
    );
    assert!(
        report.contains("At least two pairs are needed for a decision."),
        "{report}"
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
    let mut spec = spec(1, 1, 1);
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
        ["summary.json", "report.md", "curves.svg", "differences.svg"]
    );
}

#[test]
fn overview_is_ordered_by_claim() {
    let some = [
        (None, "tricks"),
        (Some("C10"), "ten"),
        (Some("C6"), "bias"),
        (Some("C1"), "dropout"),
    ];
    let mut summaries: Vec<Summary> = some.iter().map(|(c, n)| summary(*c, n)).collect();
    let page = overview(&[], &summaries);
    let places: Vec<Option<usize>> = ["[dropout]", "[bias]", "[ten]", "[tricks]"]
        .iter()
        .map(|name| page.find(name))
        .collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{page}"
    );
    summaries.reverse();
    assert_eq!(overview(&[], &summaries), page);
    assert!(overview_table(&summaries, "results/").contains("](results/bias/report.md)"));
}

fn claim(name: &str) -> Claim {
    Claim {
        name: name.to_owned(),
        short: "A short sentence".to_owned(),
        in_practice: InPractice {
            supported: "Do.".to_owned(),
            contradicted: "Do not.".to_owned(),
            depends: "Compare.".to_owned(),
            undecided: "Wait.".to_owned(),
        },
        sentence: "A sentence with a | in it.".to_owned(),
        kind: "accuracy".to_owned(),
        supports: "A gain.".to_owned(),
        contradicts: "A loss.".to_owned(),
        identities: vec![1, 4],
        probes: vec!["saturated".to_owned()],
        limits: vec!["Whether it holds for you.".to_owned()],
    }
}

#[test]
fn claim_page_has_answer_evidence_and_limits() {
    let mut bears = summary(Some("C1"), "other");
    bears.bears_on = vec!["C6".to_owned()];
    let mut against = summary(Some("C6"), "against");
    against.verdict = Some(Verdict::Contradicted);
    let mut summaries = vec![bears, summary(Some("C6"), "for"), against];
    summaries[1].verdict = Some(Verdict::Supported);
    let page = claim_page(&claim("C6"), &summaries);
    let order = [
        "# C6",
        "> A sentence with a | in it.",
        "**Answer: depends on the conditions.**",
        " Supported for dense net 32 on `mnist` (`for`); contradicted for dense net 32 on `mnist` (`against`).",
        "**In practice:** Compare.",
        "- **supported** in [for](../for/report.md): dense net 32; data `mnist`",
        "- **contradicted** in [against](../against/report.md)",
        "## What would decide it",
        "- Support: A gain.",
        "- Contradiction: A loss.",
        "have not been measured yet",
        "## Experiments that test it",
        "### [against](../against/report.md): contradicted",
        "How to read it (written before the run): Equivalent within the margin",
        "`b-vs-a`",
        "### [for](../for/report.md): supported",
        "## Other experiments that bear on it",
        "### [other](../other/report.md)",
        "## Probes",
        "| `saturated` ",
        "## What the suite cannot say",
        "- Whether it holds for you.",
    ];
    let places: Vec<Option<usize>> = order.iter().map(|part| page.find(part)).collect();
    assert!(
        places.iter().all(Option::is_some) && places.is_sorted(),
        "{places:?}\n{page}"
    );
    assert!(
        !page.contains("fold_error"),
        "a probe that the claim does not name\n{page}"
    );
    summaries.reverse();
    assert_eq!(claim_page(&claim("C6"), &summaries), page);
}

#[test]
fn untested_claim_is_named() {
    let page = claim_page(&claim("C2"), &[summary(Some("C6"), "bias")]);
    assert!(page.contains("**Answer: not tested yet.**"), "{page}");
    assert!(
        !page.contains("## Experiments") && !page.contains("## Probes"),
        "{page}"
    );
}

#[test]
fn claim_page_has_its_identities() {
    let mut exact = summary(None, "exact");
    let identity = |number: usize, as_stated| IdentitySummary {
        identity: Identity {
            number,
            statement: format!("Statement {number}"),
            value: "off".to_owned(),
            bound: 1e-9,
            holds: vec!["a".to_owned()],
            fails: vec![],
            note: "Rounding".to_owned(),
        },
        arms: vec![],
        as_stated,
    };
    exact.identities = vec![identity(1, true), identity(2, false), identity(4, true)];
    let page = claim_page(&claim("C6"), std::slice::from_ref(&exact));
    for part in [
        "**Every identity is confirmed.**",
        "| 1        | Statement 1 | [exact](../exact/report.md) |",
        "| 4        | Statement 4 | [exact](../exact/report.md) |",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    assert!(!page.contains("Statement 2"), "{page}");
    exact.identities[0].as_stated = false;
    let page = claim_page(&claim("C6"), &[exact]);
    assert!(
        page.contains("**Not every identity is confirmed.**"),
        "{page}"
    );
}

#[test]
fn overview_has_every_claim() {
    let mut bias = summary(Some("C6"), "bias");
    bias.verdict = Some(Verdict::Supported);
    bias.contrasts[0].verdict = Some(Verdict::Supported);
    let page = overview(&[claim("C2"), claim("C6")], &[bias]);
    assert!(page.contains("| [C2](claims/C2.md) "), "{page}");
    assert!(page.contains("**not tested yet** "), "{page}");
    assert!(page.contains("**supported**<br>1 experiment "), "{page}");
    assert!(page.contains("([bias](bias/report.md))"), "{page}");
    assert!(!page.contains("## Identities"), "{page}");
}

#[test]
fn terminal_table_of_claims_fits_80_columns() {
    let mut better = summary(Some("C6"), "better");
    better.verdict = Some(Verdict::Supported);
    better.contrasts[0].verdict = Some(Verdict::Supported);
    let mut worse = summary(Some("C6"), "worse");
    worse.verdict = Some(Verdict::Contradicted);
    worse.contrasts[0].verdict = Some(Verdict::Contradicted);
    let claims = [claim("C2"), claim("C6")];
    let table = claims_text(&claims, &[better, worse]).expect("a claim is tested");
    assert!(
        table.lines().all(|line| line.chars().count() <= 80),
        "{table}"
    );
    let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("depends"), "{table}");
    assert!(
        table.contains("supported: ") && table.contains("contradicted: "),
        "{table}"
    );
    assert!(
        table.contains("(better)") && table.contains("(worse)"),
        "{table}"
    );
    assert!(
        !table.contains("C2"),
        "untested claims are left out: {table}"
    );
}

#[test]
fn terminal_table_without_tested_claims_is_absent() {
    assert_eq!(
        claims_text(&[claim("C2")], &[summary(Some("C6"), "bias")]),
        None
    );
    assert_eq!(claims_text(&[], &[summary(Some("C6"), "bias")]), None);
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
        arm.train.evaluate = Evaluate::At(vec![1, 2]);
    }
    spec.contrasts[0].when = When::Epoch(2);
    spec.published[0].when = When::Epoch(1);
    let mut records = records(&spec);
    for record in records.iter_mut().filter(|r| r.arm == "b") {
        record.epochs[1].test.accuracy = 99.0;
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

#[test]
fn overview_names_several_contrasts() {
    let spec = spec(3, 6, 1);
    let page = overview(&[], &[summarize(&spec, &records(&spec)).unwrap()]);
    assert!(
        page.contains("`b-vs-a`: ") && page.contains("<br>`c-vs-a`: "),
        "{page}"
    );
    assert_eq!(
        page.matches("0.25 points").count(),
        1,
        "one margin for both\n{page}"
    );
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
