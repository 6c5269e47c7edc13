//! One row an experiment: what became of each claim.

use super::claims::claims_table;
use super::finding::{effect, margin, sight};
use super::identities;
use crate::analysis::verdict_word;
use crate::analysis::{ContrastSummary, IdentitySummary, Summary};
use crate::spec::Claim;
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{Table, one_line};
use std::cmp::Ordering;

/// The page `results/README.md`: where every claim stands, then every experiment. `summaries` may
/// come in any order.
pub fn overview(claims: &[Claim], summaries: &[Summary]) -> String {
    let claims = match claims.is_empty() {
        true => String::new(),
        false => format!(
            "## Claims\n\n\
             *Supported* takes every experiment that tests the claim, *contradicted* one that \
             contradicts it and none that supports it; with both it *depends on the conditions*. The \
             page behind each link has the scope and the evidence.\n\n\
             {}\n",
            claims_table(claims, summaries, "")
        ),
    };
    let identities = identity_section(summaries);
    format!(
        "# Results\n\n\
         {claims}\
         {identities}\
         ## Experiments\n\n\
         One row an experiment, by claim. A claim is supported or contradicted by its primary \
         contrasts; *undecided* means that the data allow both. Improvements are signed so that \
         positive is better for the treatment, with 95 % t intervals over seeds. *Could have seen* is \
         what the design shows with 80 % power at the observed spread, beside every contrast that is \
         undecided or whose verdict rests on equivalence: the smallest difference, or the smallest \
         margin of equivalence (±). The report behind each link has the evidence.\n\n\
         {}\n\
         Made by `ablate report`; edits to this page are overwritten.\n",
        overview_table(summaries, "")
    )
}

/// Every identity that was measured, by number; empty without any.
fn identity_section(summaries: &[Summary]) -> String {
    let mut sorted: Vec<&Summary> = summaries.iter().collect();
    sorted.sort_by(|a, b| by_claim(a, b));
    let mut all: Vec<(&Summary, &IdentitySummary)> = (sorted.into_iter())
        .flat_map(|summary| summary.identities.iter().map(move |i| (summary, i)))
        .collect();
    if all.is_empty() {
        return String::new();
    }
    all.sort_by_key(|(_, found)| found.identity.number);
    let link =
        |summary: &Summary| Some(format!("[{0}]({0}/{1})", summary.name, super::REPORT_FILE));
    format!(
        "## Identities\n\n{} The report behind each link says how each is measured.\n\n{}\n",
        identities::READING,
        identities::table(&all, link)
    )
}

/// The table alone, for a page from which the results folder is `prefix` (empty, or ending in `/`).
pub fn overview_table(summaries: &[Summary], prefix: &str) -> String {
    let mut table = Table::new([
        ("claim", Left),
        ("sentence", Left),
        ("experiment", Left),
        ("verdict", Left),
        ("improvement (95 % interval)", Left),
        ("margin", Left),
        ("could have seen", Left),
        ("seeds", Right),
    ]);
    let mut sorted: Vec<&Summary> = summaries.iter().collect();
    sorted.sort_by(|a, b| by_claim(a, b));
    for summary in sorted {
        let primary = || summary.contrasts.iter().filter(|c| c.contrast.primary);
        table.row([
            summary.claim.clone().unwrap_or_default(),
            one_line(summary.sentence.as_ref().unwrap_or(&summary.question)),
            format!("[{0}]({prefix}{0}/{1})", summary.name, super::REPORT_FILE),
            format!("**{}**", summary.verdict.map_or("none", verdict_word)),
            lines(primary().map(|c| effect_cell(c, primary().count() > 1))),
            margins(primary()),
            lines(primary().map(sight)),
            summary.seeds.len().to_string(),
        ]);
    }
    table.render()
}

/// By claim, experiments without one last; then by name.
pub(super) fn by_claim(a: &Summary, b: &Summary) -> Ordering {
    let key = |s: &Summary| {
        let number = s
            .claim
            .as_deref()
            .map(|c| c.trim_start_matches('C').parse::<u32>());
        let number = number.map_or(u32::MAX, |n| n.unwrap_or(u32::MAX - 1));
        (number, s.claim.clone(), s.name.clone())
    };
    key(a).cmp(&key(b))
}

fn effect_cell(contrast: &ContrastSummary, named: bool) -> String {
    let effect = match effect(contrast) {
        Some(_) if contrast.is_exactly_equal() => "exactly equal".to_owned(),
        Some(effect) => effect.replace("95 % interval ", ""),
        None => "too few pairs".to_owned(),
    };
    if named {
        format!("`{}`: {effect}", contrast.contrast.name)
    } else {
        effect
    }
}

fn margins<'a>(primary: impl Iterator<Item = &'a ContrastSummary>) -> String {
    let mut all: Vec<String> = primary.map(margin).collect();
    let first = all.first().cloned();
    if all.iter().all(|m| Some(m) == first.as_ref()) {
        all.truncate(1);
    }
    lines(all.into_iter())
}

fn lines(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join("<br>")
}
