//! Claim pages and the overview.

use super::*;
use crate::analysis::IdentitySummary;
use crate::report::{claim_page, claims_text, overview, overview_table};
use crate::spec::{Claim, Identity, InPractice};
use crate::stats::Verdict;

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
        "- **supported on this data set** in [for](../for/report.md): dense net 32; data `mnist`",
        "- **contradicted on this data set** in [against](../against/report.md)",
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
