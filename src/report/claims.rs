//! Pages of claims: the answer, the evidence of every experiment, and the limits.

use super::finding::{detectable, short_effect};
use super::identities;
use super::overview::by_claim;
use super::tables::verdict_cell;
use crate::analysis::subject::short;
use crate::analysis::{
    ArmSummary, ClaimStatus, ContrastSummary, IdentitySummary, Spread, Summary, claim_status,
};
use crate::analysis::{finding_words, prediction_word, verdict_word};
use crate::spec::{Claim, Parts, Quantity};
use crate::stats::Verdict;
use crate::text::capitalized;
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{Table, list, one_line};
use crate::text::number::compact;

/// Folder of the pages in the results folder.
pub const CLAIMS_FOLDER: &str = "claims";

/// Verdicts in the order of the pages.
const VERDICTS: [Verdict; 3] = [
    Verdict::Supported,
    Verdict::Contradicted,
    Verdict::Undecided,
];

/// File name of the page of `claim`.
pub fn claim_file(claim: &str) -> String {
    format!("{claim}.md")
}

/// Formats the page of `claim`: answer and advice, evidence, limits. The order of `summaries` does not
/// matter.
pub fn claim_page(claim: &Claim, summaries: &[Summary]) -> String {
    let sorted = in_order(summaries);
    let tests: Vec<&Summary> = sorted
        .iter()
        .copied()
        .filter(|s| is_test(s, claim))
        .collect();
    let bears: Vec<&Summary> = sorted
        .iter()
        .copied()
        .filter(|s| bears_on(s, claim))
        .collect();
    let mut parts = vec![
        format!("# {}", claim.name),
        format!("> {}", one_line(&claim.sentence)),
        answer(claim, &tests),
        verdicts(&tests),
        "## What would decide it".to_owned(),
        format!(
            "- Kind of claim: {}.\n- Support: {}.\n- Contradiction: {}.",
            one_line(&claim.kind),
            one_line(claim.supports.trim_end_matches('.')),
            one_line(claim.contradicts.trim_end_matches('.'))
        ),
    ];
    parts.extend(exactly(claim, &sorted));
    if !tests.is_empty() {
        parts.push("## Experiments that test it".to_owned());
        parts.extend(tests.iter().flat_map(|summary| experiment(summary)));
    }
    if !bears.is_empty() {
        parts.push("## Other experiments that bear on it".to_owned());
        parts.push("They test other claims and do not count for the answer above.".to_owned());
        parts.extend(bears.iter().flat_map(|summary| experiment(summary)));
    }
    let both: Vec<&Summary> = tests.iter().chain(&bears).copied().collect();
    if let Some(table) = probes(claim, &both) {
        parts.push("## Probes".to_owned());
        parts.push(PROBES.to_owned());
        parts.push(table);
    }
    parts.push("## What the suite cannot say".to_owned());
    parts.push(list(claim.limits.iter().map(|limit| one_line(limit))));
    parts.push("Made by `ablate report`; edits to this page are overwritten.".to_owned());
    let parts = parts.iter().map(|part| part.trim_end());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("\n\n") + "\n"
}

const PROBES: &str = "*Mean* is the mean over seeds; if a probe has several blocks or steps, from the one \
with the smallest mean to the one with the largest. *Largest* is the largest value of any seed and block.";

/// The section on the identities that the claim rests on; empty without any.
fn exactly(claim: &Claim, summaries: &[&Summary]) -> Vec<String> {
    let found: Vec<(&Summary, &IdentitySummary)> = (summaries.iter())
        .flat_map(|summary| summary.identities.iter().map(move |i| (*summary, i)))
        .filter(|(_, found)| claim.identities.contains(&found.identity.number))
        .collect();
    if claim.identities.is_empty() {
        return Vec::new();
    }
    let heading = "## What holds exactly, and where it fails".to_owned();
    if found.is_empty() {
        let missing =
            "The identities that the claim rests on have not been measured yet.".to_owned();
        return vec![heading, missing];
    }
    let all_stated = found.iter().all(|(_, found)| found.as_stated);
    let verdict = if all_stated {
        "**Every identity is confirmed.**"
    } else {
        "**Not every identity is confirmed.**"
    };
    vec![
        heading,
        format!("{verdict} {}", identities::READING),
        identities::table(&found, |summary| Some(link(summary))),
    ]
}

fn in_order(summaries: &[Summary]) -> Vec<&Summary> {
    let mut sorted: Vec<&Summary> = summaries.iter().collect();
    sorted.sort_by(|a, b| by_claim(a, b));
    sorted
}

fn is_test(summary: &Summary, claim: &Claim) -> bool {
    summary.claim.as_ref() == Some(&claim.name)
}

fn bears_on(summary: &Summary, claim: &Claim) -> bool {
    summary.bears_on.contains(&claim.name)
}

pub(super) const fn status_words(status: ClaimStatus) -> &'static str {
    match status {
        ClaimStatus::Untested => "not tested yet",
        ClaimStatus::Supported => "supported",
        ClaimStatus::Contradicted => "contradicted",
        ClaimStatus::Depends => "depends on the conditions",
        ClaimStatus::Undecided => "undecided",
    }
}

/// The answer, the conditions of each verdict, and the advice.
fn answer(claim: &Claim, tests: &[&Summary]) -> String {
    let status = claim_status(&claim.name, tests.iter().copied());
    let advice = &claim.in_practice;
    let (meaning, advice) = match status {
        ClaimStatus::Untested => ("No experiment has a verdict on it.", None),
        ClaimStatus::Supported => (
            "Every experiment on it supports it.",
            Some(&advice.supported),
        ),
        ClaimStatus::Contradicted => (
            "At least one experiment contradicts it and none supports it.",
            Some(&advice.contradicted),
        ),
        ClaimStatus::Depends => (
            "Some experiments support it and others contradict it.",
            Some(&advice.depends),
        ),
        ClaimStatus::Undecided => (
            "At least one experiment is undecided and none contradicts it.",
            Some(&advice.undecided),
        ),
    };
    let answer = format!(
        "**Answer: {}.** {meaning}{}{}",
        status_words(status),
        scopes(tests),
        withheld(tests)
    );
    match advice {
        Some(advice) => format!("{answer}\n\n**In practice:** {}", one_line(advice)),
        None => answer,
    }
}

/// The experiments whose verdict is withheld, and why; empty without any.
fn withheld(tests: &[&Summary]) -> String {
    let told = tests.iter().filter_map(|summary| {
        let why = summary.withheld.as_ref()?.words();
        Some(format!(" The verdict of {} is {why}.", link(summary)))
    });
    told.collect()
}

/// One item per experiment: its verdict, scope and seeds.
fn verdicts(tests: &[&Summary]) -> String {
    list(VERDICTS.into_iter().flat_map(|verdict| {
        let of = move |summary: &&&Summary| summary.verdict == Some(verdict);
        tests.iter().filter(of).map(move |summary| {
            format!(
                "**{}** in {}: {}; {}{}",
                summary.verdict_words(),
                link(summary),
                summary.conditions,
                crate::text::counted(summary.seeds.len(), "seed"),
                parts_of(summary)
            )
        })
    }))
}

/// The verdicts of the primary contrasts; empty if they are all the same.
fn parts_of(summary: &Summary) -> String {
    let primary = || summary.contrasts.iter().filter(|c| c.contrast.primary);
    let parts = VERDICTS.map(|verdict| {
        let names = primary().filter(|c| c.verdict == Some(verdict));
        let names: Vec<String> = names.map(|c| format!("`{}`", c.contrast.name)).collect();
        (!names.is_empty()).then(|| format!("{} by {}", verdict_word(verdict), names.join(", ")))
    });
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.len() {
        0 | 1 => String::new(),
        _ => format!("; {}", parts.join(", ")),
    }
}

/// The nets and data of each verdict, in one sentence; empty without any.
fn scopes(tests: &[&Summary]) -> String {
    let parts = VERDICTS.map(|verdict| {
        let with = tests
            .iter()
            .filter(|summary| summary.verdict == Some(verdict));
        let scopes: Vec<String> = with
            .map(|summary| format!("{} (`{}`)", summary.net_on_data, summary.name))
            .collect();
        (!scopes.is_empty()).then(|| format!("{} for {}", verdict_word(verdict), scopes.join(", ")))
    });
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!(" {}.", capitalized(&parts.join("; "))),
    }
}

fn link(summary: &Summary) -> String {
    format!("[{0}](../{0}/{1})", summary.name, super::REPORT_FILE)
}

/// The heading, question, reading and contrasts of one experiment.
fn experiment(summary: &Summary) -> Vec<String> {
    let verdict = match summary.verdict {
        Some(_) => summary.verdict_words(),
        None => "no verdict".to_owned(),
    };
    let mut parts = vec![
        format!("### {}: {verdict}", link(summary)),
        one_line(&summary.question),
        format!("{}.", capitalized(&summary.conditions)),
        format!(
            "How to read it (written before the run): {}",
            one_line(&summary.reading)
        ),
    ];
    if !summary.contrasts.is_empty() {
        parts.push(evidence(&summary.contrasts));
    }
    parts
}

fn evidence(contrasts: &[ContrastSummary]) -> String {
    let mut table = Table::new([
        ("contrast", Left),
        ("compared", Left),
        ("in", Left),
        ("predicted", Left),
        ("improvement (interval)", Left),
        ("finding", Left),
        ("margin", Right),
        ("detectable", Left),
        ("verdict", Left),
    ]);
    for contrast in contrasts {
        let asked = &contrast.contrast;
        let effect = short_effect(contrast);
        table.row([
            format!("`{}`", asked.name),
            short(&asked.comparison, &asked.weights),
            asked.quantity(),
            prediction_word(asked.expect).to_owned(),
            effect.unwrap_or_else(|| "too few seeds".to_owned()),
            finding_words(contrast.finding()).to_owned(),
            asked.margin.to_string(),
            detectable(contrast),
            verdict_cell(contrast),
        ]);
    }
    table.render()
}

/// One row per arm and probe of the claim; `None` without any.
fn probes(claim: &Claim, summaries: &[&Summary]) -> Option<String> {
    let mut table = Table::new([
        ("probe", Left),
        ("experiment", Left),
        ("arm", Left),
        ("mean", Right),
        ("largest", Right),
    ]);
    let mut any = false;
    for wanted in &claim.probes {
        let arms = (summaries.iter()).flat_map(|s| s.arms.iter().map(move |arm| (s, arm)));
        for (summary, arm) in arms {
            for (name, parts) in quantities(wanted, arm) {
                let Some(largest) = parts.iter().map(|part| part.max).reduce(f64::max) else {
                    continue;
                };
                any = true;
                table.row([
                    format!("`{name}`"),
                    link(summary),
                    format!("`{}`", arm.name),
                    means(&parts),
                    compact(largest),
                ]);
            }
        }
    }
    any.then(|| table.render())
}

/// The probes of `arm` called `wanted`. Blocks are one quantity; other parts, such as ways to evaluate a
/// net, are one quantity each.
fn quantities<'a>(wanted: &str, arm: &'a ArmSummary) -> Vec<(String, Vec<&'a Spread>)> {
    let group = |name: &str| name.split('.').next() == Some(wanted);
    let measured = arm.probes.iter().filter(|(name, _)| group(name));
    let parts = Quantity::named(wanted).map(|quantity| quantity.parts);
    match parts {
        Some(Parts::Named(_)) => measured.map(|(n, part)| (n.clone(), vec![part])).collect(),
        _ => vec![(wanted.to_owned(), measured.map(|(_, part)| part).collect())],
    }
}

/// The smallest and the largest mean of the parts.
fn means(parts: &[&Spread]) -> String {
    let means = || parts.iter().map(|part| part.mean);
    let least = means().reduce(f64::min).map_or(String::new(), compact);
    let most = means().reduce(f64::max).map_or(String::new(), compact);
    match parts {
        [one] => one.compact_mean_sd(),
        _ if least == most => least,
        _ => format!("{least} to {most}"),
    }
}
