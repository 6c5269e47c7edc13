//! Pages of claims: the answer, what to do, and one forest plot. Everything else is collapsed.

use super::claim_details::{conditions, exploratory, identities, probes, readings};
use super::claim_figure::{claim_figure_file, tested};
use super::claim_words::{advice, answer_words, status_words, votes};
use super::overview::by_claim;
use crate::analysis::{
    ClaimAnswer, ClaimStatus, ContrastSummary, StratumAnswer, Summary, claim_answer,
};
use crate::spec::Claim;
use crate::text::counted;
use crate::text::markdown::Align::Left;
use crate::text::markdown::{Table, list, one_line};

/// Folder of the pages in the results folder.
pub const CLAIMS_FOLDER: &str = "claims";

/// File name of the page of `claim`.
pub fn claim_file(claim: &str) -> String {
    format!("{claim}.md")
}

/// Last line of a page, by which a page of a claim that is no longer declared is known.
pub const CLAIM_FOOTER: &str = "Made by `ablate report`; edits to this page are overwritten.";

/// Formats the page of `claim`. The order of `summaries` does not matter.
pub fn claim_page(claim: &Claim, summaries: &[Summary]) -> String {
    let answer = claim_answer(&claim.name, &claim.strata, summaries);
    let mut parts = vec![
        format!("# {}: {}", claim.name, one_line(&claim.short)),
        format!("> {}", one_line(&claim.sentence)),
    ];
    parts.extend((!claim.stated).then(|| SUGGESTED.to_owned()));
    parts.push(opening(claim, &answer, summaries));
    let advice = advice(claim, answer.status);
    parts.extend(advice.map(|text| format!("**What to do:** {}", one_line(text))));
    parts.extend(evidence_parts(claim, summaries));
    parts.push(CLAIM_FOOTER.to_owned());
    let parts = parts.iter().map(|part| part.trim_end());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("\n\n") + "\n"
}

/// Everything below the answer and the advice: the figure, the strata, what would decide the claim, and the
/// evidence.
pub(super) fn evidence_parts(claim: &Claim, summaries: &[Summary]) -> Vec<String> {
    let mut sorted: Vec<&Summary> = summaries.iter().collect();
    sorted.sort_by(|a, b| by_claim(a, b));
    let answer = claim_answer(&claim.name, &claim.strata, summaries);
    let tested = tested(claim, summaries);
    let tests: Vec<&Summary> = sorted
        .iter()
        .copied()
        .filter(|s| s.tests(&claim.name))
        .collect();
    let bears: Vec<&Summary> = (sorted.iter().copied())
        .filter(|s| s.bears_on.contains(&claim.name))
        .collect();
    let mut parts = Vec::new();
    parts.extend(figure(claim, &tested));
    parts.extend(strata(claim, &answer, summaries));
    parts.extend(fragile(&tested));
    parts.push("## What would decide it".to_owned());
    parts.push(format!(
        "- Kind of claim: {}.\n- Support: {}.\n- Contradiction: {}.",
        one_line(&claim.kind),
        one_line(claim.supports.trim_end_matches('.')),
        one_line(claim.contradicts.trim_end_matches('.'))
    ));
    parts.push("## What the suite cannot say".to_owned());
    parts.push(list(claim.limits.iter().map(|limit| one_line(limit))));
    if !(tests.is_empty() && bears.is_empty() && claim.identities.is_empty()) {
        parts.push("## Evidence".to_owned());
    }
    let both: Vec<&Summary> = tests.iter().chain(&bears).copied().collect();
    parts.extend(conditions(&tested));
    parts.extend(exploratory(&tests, &bears));
    parts.extend(readings(&both));
    parts.extend(identities(claim, &sorted));
    parts.extend(probes(claim, &both));
    parts.retain(|part| !part.trim().is_empty());
    parts
}

const SUGGESTED: &str = "The sentence suggests this and does not state it. Its answer counts for no other \
claim.";

/// The answer and the number of contrasts behind it.
fn opening(claim: &Claim, answer: &ClaimAnswer, summaries: &[Summary]) -> String {
    let behind = match votes(claim, summaries) {
        Some(votes) => format!("{votes}."),
        None => "No primary contrast tests it.".to_owned(),
    };
    let withheld = withheld(claim, summaries);
    format!("**Answer: {}.** {behind}{withheld}", answer_words(answer))
}

/// The verdicts that are withheld, each in a sentence after a space.
pub(super) fn withheld(claim: &Claim, summaries: &[Summary]) -> String {
    let told = summaries.iter().filter(|s| s.tests(&claim.name));
    let withheld = told.filter_map(|summary| {
        let why = summary.withheld.as_ref()?.words();
        Some(format!(" The verdict of {} is {why}.", link(summary)))
    });
    withheld.collect()
}

fn figure(claim: &Claim, tested: &[(&Summary, &ContrastSummary)]) -> Option<String> {
    let drawn = tested.iter().any(|(_, c)| c.interval().is_some());
    drawn.then(|| {
        format!(
            "![Effect, interval, margin and verdict under every condition]({})",
            claim_figure_file(&claim.name)
        )
    })
}

/// One row per stratum: its answer, and the experiments behind it; `None` for a claim without strata.
fn strata(claim: &Claim, answer: &ClaimAnswer, summaries: &[Summary]) -> Option<String> {
    if answer.strata.iter().all(|s| s.stratum.is_none()) {
        return None;
    }
    let mut table = Table::new([("with", Left), ("answer", Left), ("experiments", Left)]);
    for StratumAnswer {
        stratum: name,
        status,
        after,
    } in &answer.strata
    {
        let mut found: Vec<&Summary> = (summaries.iter())
            .filter(|s| s.verdict_on(&claim.name, name.as_deref()).is_some())
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let links: Vec<String> = found.into_iter().map(link).collect();
        table.row([
            name.clone().unwrap_or_else(|| "no stratum".to_owned()),
            match status {
                ClaimStatus::Untested => status_words(*status).to_owned(),
                _ => {
                    let after = after.as_ref();
                    let after = after.map_or(String::new(), |after| format!(" after {after}"));
                    format!("**{}{after}**", status_words(*status))
                }
            },
            links.join(", "),
        ]);
    }
    Some(table.render())
}

/// How many verdicts rest on single seeds; `None` without any.
fn fragile(tested: &[(&Summary, &ContrastSummary)]) -> Option<String> {
    let fragile = tested
        .iter()
        .filter(|(_, c)| !c.fragile().is_empty())
        .count();
    (fragile > 0).then(|| {
        format!(
            "*Fragile* ({} here): leaving out a single seed changes the verdict. Training that seed again \
             on another machine could change it, too.",
            counted(fragile, "verdict")
        )
    })
}

/// A link to the report of an experiment.
pub(super) fn link(summary: &Summary) -> String {
    format!("[{0}](../{0}/{1})", summary.name, super::REPORT_FILE)
}
