//! The collapsed parts of a claim's page: numbers, exploratory contrasts, readings, identities, probes.

use super::claims::link;
use super::finding::{detectable, fragile, mixed, short_effect};
use super::markdown::verdicts_text;
use super::tables::verdict_cell;
use super::{design, identities as exact};
use crate::analysis::subject::short;
use crate::analysis::{
    ArmSummary, ContrastSummary, IdentitySummary, Spread, Summary, finding_words, prediction_word,
};
use crate::spec::{Claim, Parts, Quantity};
use crate::text::capitalized;
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{Table, one_line};
use crate::text::number::compact;

/// `content` under a line that opens it.
fn collapsed(summary: &str, content: &str) -> String {
    format!(
        "<details>\n<summary>{summary}</summary>\n\n{}\n\n</details>",
        content.trim_end()
    )
}

/// The primary contrasts in numbers; `None` without any.
pub(super) fn conditions(tested: &[(&Summary, &ContrastSummary)]) -> Option<String> {
    if tested.is_empty() {
        return None;
    }
    let mut table = Table::new([
        ("with", Left),
        ("experiment", Left),
        ("contrast", Left),
        ("compared", Left),
        ("condition", Left),
        ("in", Left),
        ("predicted", Left),
        ("improvement (interval)", Left),
        ("margin", Right),
        ("seeds", Right),
        ("detectable", Left),
        ("finding", Left),
        ("verdict", Left),
        ("remark", Left),
    ]);
    for (summary, contrast) in tested {
        let asked = &contrast.contrast;
        let remarks = [fragile(contrast), mixed(summary, &contrast.mixed_over)];
        let remarks: Vec<String> = remarks.into_iter().flatten().collect();
        table.row([
            asked.stratum.clone().unwrap_or_default(),
            link(summary),
            format!("`{}`", asked.name),
            short(&asked.comparison, &asked.weights),
            contrast.condition.to_string(),
            asked.quantity(),
            prediction_word(asked.expect).to_owned(),
            short_effect(contrast).unwrap_or_else(|| "too few seeds".to_owned()),
            asked.margin.to_string(),
            contrast.improvements.len().to_string(),
            detectable(contrast),
            contrast.explained_finding(),
            verdict_cell(contrast),
            remarks.join("; "),
        ]);
    }
    Some(collapsed("Every condition in numbers", &table.render()))
}

/// The exploratory contrasts of the experiments that test the claim, and all contrasts of those that bear
/// on it; `None` without any.
pub(super) fn exploratory(tests: &[&Summary], bears: &[&Summary]) -> Option<String> {
    let own = |summary: &&Summary| -> Vec<ContrastSummary> {
        let contrasts = summary.contrasts.iter();
        contrasts.filter(|c| !c.contrast.primary).cloned().collect()
    };
    let tests = tests.iter().map(|summary| (*summary, own(summary)));
    let bears = bears
        .iter()
        .map(|summary| (*summary, summary.contrasts.clone()));
    let mut table = Table::new([
        ("experiment", Left),
        ("contrast", Left),
        ("compared", Left),
        ("in", Left),
        ("improvement (interval)", Left),
        ("margin", Right),
        ("finding", Left),
        ("remark", Left),
    ]);
    let mut any = false;
    for (summary, contrasts) in tests.chain(bears) {
        for contrast in &contrasts {
            any = true;
            let asked = &contrast.contrast;
            table.row([
                link(summary),
                format!("`{}`", asked.name),
                short(&asked.comparison, &asked.weights),
                asked.quantity(),
                short_effect(contrast).unwrap_or_else(|| "too few seeds".to_owned()),
                asked.margin.to_string(),
                finding_words(contrast.finding()).to_owned(),
                mixed(summary, &contrast.mixed_over).unwrap_or_default(),
            ]);
        }
    }
    let text = format!(
        "They have no verdict on this claim and do not count for the answer.\n\n{}",
        table.render()
    );
    any.then(|| {
        collapsed(
            "Exploratory contrasts, and other experiments that bear on it",
            &text,
        )
    })
}

/// Question, conditions and reading of every experiment; `None` without any.
pub(super) fn readings(summaries: &[&Summary]) -> Option<String> {
    let one = |summary: &&Summary| {
        let verdict = match summary.verdicts().is_empty() {
            true => "no verdict".to_owned(),
            false => verdicts_text(summary),
        };
        let mut parts = vec![
            format!("### {}: {verdict}", link(summary)),
            one_line(&summary.question),
            format!("{}.", capitalized(&summary.conditions)),
            design::reading(summary),
        ];
        parts.extend(design::after_trial(summary));
        parts.extend(design::shared(summary));
        parts.join("\n\n")
    };
    let texts: Vec<String> = summaries.iter().map(one).collect();
    (!texts.is_empty()).then(|| {
        collapsed(
            "The experiments, and how each of them is read",
            &texts.join("\n\n"),
        )
    })
}

/// The identities that the claim rests on; `None` for a claim without any.
pub(super) fn identities(claim: &Claim, summaries: &[&Summary]) -> Option<String> {
    let found: Vec<(&Summary, &IdentitySummary)> = (summaries.iter())
        .flat_map(|summary| summary.identities.iter().map(move |i| (*summary, i)))
        .filter(|(_, found)| claim.identities.contains(&found.identity.number))
        .collect();
    if claim.identities.is_empty() {
        return None;
    }
    if found.is_empty() {
        return Some(
            "The identities that the claim rests on have not been measured yet.".to_owned(),
        );
    }
    let stated = found.iter().filter(|(_, found)| found.as_stated).count();
    let verdict = match stated == found.len() {
        true => "**Every identity is confirmed.**",
        false => "**Not every identity is confirmed.**",
    };
    let table = exact::table(&found, |summary| Some(link(summary)));
    let heading = format!(
        "What holds exactly, and where it fails: {stated} of {} statements as written",
        found.len()
    );
    Some(collapsed(
        &heading,
        &format!("{verdict} {}\n\n{table}", exact::READING),
    ))
}

const PROBES: &str = include_str!("templates/probes.md").trim_ascii_end();

/// One row per arm and probe of the claim; `None` without any.
pub(super) fn probes(claim: &Claim, summaries: &[&Summary]) -> Option<String> {
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
    any.then(|| collapsed("Probes", &format!("{PROBES}\n\n{}", table.render())))
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
