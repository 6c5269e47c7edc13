//! A page a claim: the sentence, what every experiment says of it, and what none can say.

use super::finding::{detectable, effect};
use super::identities;
use super::overview::by_claim;
use super::subject::short;
use crate::analysis::{
    ArmSummary, ClaimStatus, ContrastSummary, IdentitySummary, Spread, Summary, claim_status,
};
use crate::analysis::{prediction_word, verdict_word};
use crate::spec::{Claim, Parts, Quantity};
use crate::stats::Verdict;
use crate::text::capitalized;
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{Table, list, one_line};
use crate::text::number::compact;

/// Folder of the pages, in the folder of results.
pub const CLAIMS_FOLDER: &str = "claims";

/// In the order in which pages show them.
const VERDICTS: [Verdict; 3] = [
    Verdict::Supported,
    Verdict::Contradicted,
    Verdict::Undecided,
];

/// File name of the page on `claim`.
pub fn claim_file(claim: &str) -> String {
    format!("{claim}.md")
}

/// The page on `claim`. `summaries` may come in any order.
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
        format!("Kind of claim: {}.", one_line(&claim.kind)),
        overall(claim, &tests),
        "## What would decide it".to_owned(),
        format!(
            "- It would be supported by: {}
- It would be contradicted by: {}",
            one_line(&claim.supports),
            one_line(&claim.contradicts)
        ),
    ];
    parts.extend(exactly(claim, &sorted));
    if !tests.is_empty() {
        parts.push("## Experiments that test it".to_owned());
        parts.extend(tests.iter().flat_map(|summary| experiment(summary)));
    }
    if !bears.is_empty() {
        parts.push("## Other experiments that bear on it".to_owned());
        parts.push("They test another sentence, and do not enter the verdict above.".to_owned());
        parts.extend(bears.iter().flat_map(|summary| experiment(summary)));
    }
    let both: Vec<&Summary> = tests.iter().chain(&bears).copied().collect();
    if let Some(table) = probes(claim, &both) {
        parts.push("## Probes".to_owned());
        parts.push("Mean over seeds, from the block (or step) with the smallest to that with the largest, and the \
             largest value over all seeds and blocks.".to_owned());
        parts.push(table);
    }
    parts.push("## What the suite cannot say".to_owned());
    parts.push(list(claim.limits.iter().map(|limit| one_line(limit))));
    parts.push("Made by `ablate report`; edits to this page are overwritten.".to_owned());
    let parts: Vec<&str> = parts.iter().map(|part| part.trim_end()).collect();
    parts.join("\n\n") + "\n"
}

/// The identities that the claim rests on, wherever they were measured.
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
        let missing = "The identities that it rests on have not been measured yet.".to_owned();
        return vec![heading, missing];
    }
    let all_stated = found.iter().all(|(_, found)| found.as_stated);
    let verdict = if all_stated {
        "**Every identity is as stated.**"
    } else {
        "**Not every identity is as stated.**"
    };
    vec![
        heading,
        format!("{verdict} {}", identities::READING),
        identities::table(&found, |summary| Some(link(summary))),
    ]
}

/// One row a claim, for a page from which the results folder is `prefix`.
pub fn claims_table(claims: &[Claim], summaries: &[Summary], prefix: &str) -> String {
    let mut table = Table::new([
        ("claim", Left),
        ("sentence", Left),
        ("overall", Left),
        ("experiments", Left),
    ]);
    for claim in claims {
        let sorted = in_order(summaries);
        let tests = sorted.iter().filter(|summary| is_test(summary, claim));
        let cells: Vec<String> = tests
            .map(|s| {
                let verdict = s.verdict.map_or("none", verdict_word);
                format!(
                    "[{0}]({prefix}{0}/{1}): {verdict}",
                    s.name,
                    super::REPORT_FILE
                )
            })
            .collect();
        table.row([
            format!(
                "[{0}]({prefix}{CLAIMS_FOLDER}/{1})",
                claim.name,
                claim_file(&claim.name)
            ),
            one_line(&claim.sentence),
            format!("**{}**", status_words(claim_status(&claim.name, summaries))),
            cells.join("<br>"),
        ]);
    }
    table.render()
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

const fn status_words(status: ClaimStatus) -> &'static str {
    match status {
        ClaimStatus::Untested => "not tested yet",
        ClaimStatus::Supported => "supported",
        ClaimStatus::Contradicted => "contradicted",
        ClaimStatus::Depends => "depends on the conditions",
        ClaimStatus::Undecided => "undecided",
    }
}

/// The status, and the scope in which each verdict was reached.
fn overall(claim: &Claim, tests: &[&Summary]) -> String {
    let status = claim_status(&claim.name, tests.iter().copied());
    let word = capitalized(status_words(status));
    let meaning = match status {
        ClaimStatus::Untested => "No experiment here has a verdict on it.",
        ClaimStatus::Supported => "Every experiment that tests it supports it.",
        ClaimStatus::Contradicted => {
            "As a general sentence it fails where an experiment contradicts it, and none supports it."
        }
        ClaimStatus::Depends => {
            "It holds where an experiment supports it and fails where one contradicts it."
        }
        ClaimStatus::Undecided => "Not every experiment could decide, and none contradicts it.",
    };
    let lines = VERDICTS.into_iter().flat_map(|verdict| {
        let of = move |summary: &&&Summary| summary.verdict == Some(verdict);
        tests.iter().filter(of).map(move |summary| {
            format!(
                "**{}** in {}: {}; {}{}",
                verdict_word(verdict),
                link(summary),
                summary.conditions,
                crate::text::counted(summary.seeds.len(), "seed"),
                parts_of(summary)
            )
        })
    });
    format!("**{word}.** {meaning}{}\n\n{}", scopes(tests), list(lines))
}

/// The verdicts of the primary contrasts, where they are not all the same.
fn parts_of(summary: &Summary) -> String {
    let primary = || summary.contrasts.iter().filter(|c| c.contrast.primary);
    let parts = VERDICTS.map(|verdict| {
        let names = primary().filter(|c| c.verdict == verdict);
        let names: Vec<String> = names.map(|c| format!("`{}`", c.contrast.name)).collect();
        (!names.is_empty()).then(|| format!("{} by {}", verdict_word(verdict), names.join(", ")))
    });
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    match parts.len() {
        0 | 1 => String::new(),
        _ => format!("; {}", parts.join(", ")),
    }
}

/// For which nets and data each verdict was reached, in one sentence.
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

/// Heading, what would have supported and contradicted, and the evidence.
fn experiment(summary: &Summary) -> Vec<String> {
    let verdict = summary.verdict.map_or("no verdict", verdict_word);
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
        ("improvement (95 % interval)", Left),
        ("margin", Right),
        ("could have seen", Left),
        ("verdict", Left),
    ]);
    for contrast in contrasts {
        let asked = &contrast.contrast;
        let role = if asked.primary { "" } else { " (secondary)" };
        let effect = effect(contrast).map(|text| text.replace("95 % interval ", ""));
        table.row([
            format!("`{}`{role}", asked.name),
            short(&asked.comparison, &asked.weights),
            asked.quantity(),
            prediction_word(asked.expect).to_owned(),
            effect.unwrap_or_else(|| "too few seeds".to_owned()),
            asked.margin.to_string(),
            detectable(contrast),
            format!("**{}**", verdict_word(contrast.verdict)),
        ]);
    }
    table.render()
}

/// Every measured name that bears on the claim, a row an arm; `None` without any.
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

/// What `arm` measured under the name `wanted`: blocks together, other parts, such as ways to
/// evaluate a net, each by itself.
fn quantities<'a>(wanted: &str, arm: &'a ArmSummary) -> Vec<(String, Vec<&'a Spread>)> {
    let group = |name: &str| name.split('.').next() == Some(wanted);
    let measured = arm.probes.iter().filter(|(name, _)| group(name));
    let parts = Quantity::named(wanted).map(|quantity| quantity.parts);
    match parts {
        Some(Parts::Named(_)) => measured.map(|(n, part)| (n.clone(), vec![part])).collect(),
        _ => vec![(wanted.to_owned(), measured.map(|(_, part)| part).collect())],
    }
}

/// From the smallest mean of the parts to the largest.
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
