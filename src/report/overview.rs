//! The overview of all claims and experiments.

use super::claims_table::claims_table;
use super::finding::{detectable, margin, short_effect};
use super::identities;
use super::markdown::verdicts_text;
use crate::analysis::{ContrastSummary, IdentitySummary, Summary};
use crate::spec::Claim;
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{Table, one_line};
use std::cmp::Ordering;

/// Formats `results/README.md`: every claim, every identity, every experiment. The order of `summaries`
/// does not matter.
pub fn overview(claims: &[Claim], summaries: &[Summary]) -> String {
    let claims = match claims.is_empty() {
        true => String::new(),
        false => format!(
            "## Claims\n\n\
             A claim is answered by stratum, such as activation or optimizer. In a stratum it is \
             *supported* if every experiment supports it, *contradicted* if one contradicts it and none \
             supports it, and *depends on the conditions* if experiments disagree. One answer for all \
             strata is given only where they agree. The evidence is the primary contrast with the most \
             seeds for each verdict of the answer. Positive is better for the first of the two. The page \
             behind each link has all of it.\n\n\
             {}\n",
            claims_table(claims, &unchanged(summaries), "")
        ),
    };
    let identities = identity_section(summaries);
    format!(
        "# Results\n\n\
         {claims}\
         {identities}\
         ## Experiments\n\n\
         One row per experiment, ordered by claim. The verdict comes from the primary contrasts; \
         *undecided* means that the data allow both other verdicts. Positive improvements are better for \
         the treatment; findings and verdicts are read off the t intervals over seeds, whose level allows \
         for the number of primary contrasts. *Detectable* is the smallest \
         difference, or the smallest margin of equivalence (±), that the design shows with 80 % power \
         at the observed spread. It is given if no difference is shown, if the verdict is undecided, or \
         if equivalence is predicted. The report behind each link has the evidence.\n\n\
         {}\n\
         Made by `ablate report`; edits to this page are overwritten.\n",
        overview_table(summaries, "")
    )
}

/// The results that count for claims: those of experiments, not of variants.
pub fn unchanged(summaries: &[Summary]) -> Vec<Summary> {
    let own = summaries.iter().filter(|summary| !summary.is_variant());
    own.cloned().collect()
}

/// Every measured identity, by number; empty without any.
fn identity_section(summaries: &[Summary]) -> String {
    let table = identity_table(summaries);
    table.map_or(String::new(), |table| format!("## Identities\n\n{table}\n"))
}

/// Every measured identity, by number, under an explanation; `None` without any.
pub(super) fn identity_table(summaries: &[Summary]) -> Option<String> {
    let mut sorted: Vec<&Summary> = summaries.iter().collect();
    sorted.sort_by(|a, b| by_claim(a, b));
    let mut all: Vec<(&Summary, &IdentitySummary)> = (sorted.into_iter())
        .flat_map(|summary| summary.identities.iter().map(move |i| (summary, i)))
        .collect();
    if all.is_empty() {
        return None;
    }
    all.sort_by_key(|(_, found)| found.identity.number);
    let link =
        |summary: &Summary| Some(format!("[{0}]({0}/{1})", summary.name, super::REPORT_FILE));
    Some(format!(
        "{} The report behind each link explains the measures.\n\n{}",
        identities::READING,
        identities::table(&all, link)
    ))
}

/// The table of experiments. `prefix` is the path from the page to the results folder: empty, or ending
/// in `/`.
pub fn overview_table(summaries: &[Summary], prefix: &str) -> String {
    let mut table = Table::new([
        ("claim", Left),
        ("sentence", Left),
        ("experiment", Left),
        ("verdict", Left),
        ("improvement (interval)", Left),
        ("finding", Left),
        ("margin", Left),
        ("detectable", Left),
        ("seeds", Right),
    ]);
    let mut sorted: Vec<&Summary> = summaries.iter().collect();
    sorted.sort_by(|a, b| by_claim(a, b));
    for summary in sorted {
        let primary = || summary.primary();
        table.row([
            summary.claim.clone().unwrap_or_default(),
            one_line(summary.sentence.as_ref().unwrap_or(&summary.question)),
            format!("[{0}]({prefix}{0}/{1})", summary.name, super::REPORT_FILE),
            verdict(summary),
            lines(primary().map(|c| effect_cell(c, primary().count() > 1))),
            lines(primary().map(ContrastSummary::explained_finding)),
            margins(primary()),
            lines(primary().map(detectable)),
            summary.seeds.len().to_string(),
        ]);
    }
    table.render()
}

/// Orders by claim, then by name; experiments without a claim come last.
pub(super) fn by_claim(a: &Summary, b: &Summary) -> Ordering {
    let key = |s: &Summary| {
        let number = s.claim.as_deref().map(|claim| {
            let digits = claim.trim_start_matches(|c: char| !c.is_ascii_digit());
            let end = digits.find(|c: char| !c.is_ascii_digit());
            digits[..end.unwrap_or(digits.len())].parse::<u32>()
        });
        let number = number.map_or(u32::MAX, |n| n.unwrap_or(u32::MAX - 1));
        (number, s.claim.clone(), s.name.clone())
    };
    key(a).cmp(&key(b))
}

/// The verdict, or one per claim that the experiment tests.
fn verdict(summary: &Summary) -> String {
    match summary.verdicts().is_empty() {
        true => "**none**".to_owned(),
        false => format!("**{}**", verdicts_text(summary)),
    }
}

fn effect_cell(contrast: &ContrastSummary, named: bool) -> String {
    let effect = match short_effect(contrast) {
        Some(_) if contrast.is_exactly_equal() => "exactly equal".to_owned(),
        Some(effect) => effect,
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
