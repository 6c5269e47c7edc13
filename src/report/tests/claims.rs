//! Claim pages and the overview.

use super::*;
use crate::analysis::IdentitySummary;
use crate::report::{claim_page, claims_table, claims_text, overview, overview_table, report};
use crate::spec::{Claim, Identity};
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
    crate::analysis::fixture::claim(name, &[])
}

/// An experiment whose only primary contrast tests `claim` with this outcome.
fn decided(claim: &str, name: &str, verdict: Verdict) -> Summary {
    let mut summary = summary(Some(claim), name);
    let contrast = &mut summary.contrasts[0];
    contrast.contrast.claim = Some(claim.to_owned());
    contrast.verdict = Some(verdict);
    summary
}

#[test]
fn claim_page_opens_with_answer_advice_and_figure() {
    let mut bears = decided("C1", "other", Verdict::Supported);
    bears.bears_on = vec!["C6".to_owned()];
    let mut summaries = vec![
        bears,
        decided("C6", "for", Verdict::Supported),
        decided("C6", "against", Verdict::Contradicted),
    ];
    let page = claim_page(&claim("C6"), &summaries);
    let order = [
        "# C6: A short sentence",
        "> A sentence with a | in it.",
        "**Answer: depends on the conditions.** 2 contrasts: 1 supported, 1 contradicted; on these data sets.",
        "**What to do:** Compare.",
        "](C6.svg)",
        "## What would decide it",
        "- Support: A gain.",
        "- Contradiction: A loss.",
        "## What the suite cannot say",
        "- Whether it holds for you.",
        "## Evidence",
        "<summary>Every condition in numbers</summary>",
        "[against](../against/report.md)",
        "MNIST, dense net 32, 1 epoch",
        "[for](../for/report.md)",
        "<summary>Exploratory contrasts",
        "[other](../other/report.md)",
        "### [against](../against/report.md): ",
        "**How to read it**: Equivalent within the margin",
        "### [other](../other/report.md)",
        "have not been measured yet",
        "<summary>Probes</summary>",
        "| `saturated` ",
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
fn claim_page_answers_by_stratum() {
    let claim = crate::analysis::fixture::claim("C6", &["SGD", "Adam", "RMSprop"]);
    let mut summaries = [
        decided("C6", "for", Verdict::Supported),
        decided("C6", "against", Verdict::Contradicted),
    ];
    summaries[0].contrasts[0].contrast.stratum = Some("SGD".to_owned());
    summaries[1].contrasts[0].contrast.stratum = Some("Adam".to_owned());
    let page = claim_page(&claim, &summaries);
    for part in [
        "**Answer: depends: supported with SGD (after 1 epoch), contradicted with Adam (after 1 epoch).**",
        "| SGD     | **supported after 1 epoch**    | [for](../for/report.md)",
        "| Adam    | **contradicted after 1 epoch** | [against](../against/report.md)",
        "| RMSprop | not tested yet                 |",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

#[test]
fn contradiction_of_an_unclear_finding_is_explained() {
    let values = [-0.5, 0.2, -0.3, 0.2, -0.2, 0.0];
    let mut spec = spec(2, values.len() as u64, 2);
    spec.contrasts[0].expect = Expect::Better;
    let mut records = records(&spec);
    for (seed, value) in (0..).zip(values) {
        set_accuracy(&mut records, "a", seed, 90.0);
        set_accuracy(&mut records, "b", seed, 90.0 + value);
    }
    let derived = derived(&spec, &records);
    let summaries = [derived.summary];
    let contrast = &summaries[0].contrasts[0];
    assert_eq!(contrast.verdict, Some(Verdict::Contradicted));
    let reason = "unclear; a gain as large as the margin is ruled out";
    assert_eq!(contrast.explained_finding(), reason);
    for text in [
        &derived.report_md,
        &claim_page(&claim("C6"), &summaries),
        &overview_table(&summaries, ""),
    ] {
        assert!(text.contains(reason), "{text}");
    }
    let terminal = claims_text(&[claim("C6")], &summaries).expect("a claim is tested");
    assert!(terminal.contains("ruled"), "{terminal}");
}

#[test]
fn suggested_claims_say_that_they_are_not_stated() {
    let mut suggested = claim("C6");
    suggested.stated = false;
    let summaries = [decided("C6", "for", Verdict::Supported)];
    let page = claim_page(&suggested, &summaries);
    assert!(
        page.contains("suggests this and does not state it"),
        "{page}"
    );
    let table = claims_table(&[suggested], &summaries, "");
    assert!(table.contains("(suggested, not stated)"), "{table}");
}

#[test]
fn committed_claim_pages_are_short_above_the_fold() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("results/claims");
    let pages = std::fs::read_dir(folder).expect("pages").flatten();
    let pages: Vec<_> = (pages.map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    assert!(pages.len() > 6);
    for path in pages {
        let words = words_above_the_fold(&std::fs::read_to_string(&path).expect("a page"));
        assert!(words <= 1500, "{}: {words} words", path.display());
    }
}

/// Number of words of a page outside its collapsed parts.
fn words_above_the_fold(page: &str) -> usize {
    let mut parts = page.split("<details>");
    let first = parts.next().unwrap_or_default();
    let after = parts.filter_map(|part| Some(part.split_once("</details>")?.1));
    let texts = std::iter::once(first).chain(after);
    texts.map(|text| text.split_whitespace().count()).sum()
}

#[test]
fn words_in_collapsed_parts_do_not_count() {
    let page = "one two\n<details>\nthree\n</details>\nfour <details>five</details> six";
    assert_eq!(words_above_the_fold(page), 4);
}

#[test]
fn untested_claim_is_named() {
    let page = claim_page(&claim("C2"), &[summary(Some("C6"), "bias")]);
    assert!(page.contains("**Answer: not tested yet.**"), "{page}");
    assert!(
        !page.contains("in numbers") && !page.contains("Probes") && !page.contains(".svg"),
        "{page}"
    );
}

#[test]
fn experiment_on_two_claims_has_a_verdict_on_each() {
    let mut spec = spec(3, 6, 1);
    spec.contrasts[1].claim = Some("C7".to_owned());
    spec.contrasts[1].stratum = Some("sigmoid".to_owned());
    let mut derived = derived(&spec, &records(&spec));
    let summary = &mut derived.summary;
    summary.contrasts[0].verdict = Some(Verdict::Supported);
    summary.contrasts[1].verdict = Some(Verdict::Contradicted);
    let report = report(summary, &[]);
    assert!(
        report.contains("**Answer: C6 supported, C7 contradicted**, from 2 primary contrasts"),
        "{report}"
    );
    assert!(
        report.contains("(`c-vs-a`, C7, with sigmoid): "),
        "{report}"
    );
    assert!(
        overview_table(std::slice::from_ref(summary), "")
            .contains("**C6 supported, C7 contradicted**")
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
    let bias = decided("C6", "bias", Verdict::Supported);
    let page = overview(&[claim("C2"), claim("C6")], &[bias]);
    assert!(page.contains("| [C2](claims/C2.md) "), "{page}");
    assert!(page.contains("**not tested yet** "), "{page}");
    assert!(
        page.contains(
            "**supported after 1 epoch**<br>1 contrast: 1 supported; on these data sets "
        ),
        "{page}"
    );
    assert!(page.contains("([bias](bias/report.md))"), "{page}");
    assert!(!page.contains("## Identities"), "{page}");
}

#[test]
fn terminal_table_of_claims_fits_80_columns() {
    let better = decided("C6", "better", Verdict::Supported);
    let worse = decided("C6", "worse", Verdict::Contradicted);
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
