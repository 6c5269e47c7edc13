//! `report.md`: one experiment for a reader who has only this page.

use super::finding::{power, sentence};
use super::{
    CURVES_FILE, DIFFERENCES_FILE, DISTRIBUTION_FILES, DOSE_FILE, EFFECT_FILE, IDENTITIES_FILE,
    INTERACTION_FILE, MATRICES_FILE, SERIES_FILE, TRACES_FILE, factors, identities, probes, tables,
};
use crate::analysis::verdict_word;
use crate::analysis::{ContrastSummary, Summary};
use crate::text::capitalized;
use crate::text::markdown::{list, one_line};

/// The report of `summary`, with links to `figures` (file names beside it).
pub fn report(summary: &Summary, figures: &[&str]) -> String {
    let mut parts = vec![
        format!("# {}", one_line(&summary.title)),
        summary.question.trim().to_owned(),
    ];
    parts.extend(claim(summary));
    parts.push(verdict(summary));
    parts.push(format!(
        "How to read it (written before the run): {}",
        summary.reading.trim()
    ));
    let of_probes = |file: &&&str| {
        let distribution = DISTRIBUTION_FILES.iter().any(|(name, _)| name == *file);
        distribution || [TRACES_FILE, SERIES_FILE, MATRICES_FILE].contains(*file)
    };
    let of_identities = |file: &&&str| **file == IDENTITIES_FILE;
    let others = (figures.iter()).filter(|file| !of_probes(file) && !of_identities(file));
    parts.extend(others.map(|file| figure(file)));
    parts.push("## Arms".to_owned());
    parts.push(format!(
        "Test scores after the last epoch, mean ± SD over seeds. {}.",
        capitalized(&summary.conditions)
    ));
    parts.push(tables::arms(summary));
    if let Some(table) = tables::moments(summary) {
        parts.push(MOMENTS.to_owned());
        parts.push(table);
    }
    parts.extend(factors::section(summary));
    if !summary.contrasts.is_empty() {
        parts.push("## Contrasts".to_owned());
        parts.push(IMPROVEMENT.to_owned());
        parts.extend((!summary.factors.is_empty()).then(|| FACTORIAL.to_owned()));
        parts.push(tables::contrasts(summary));
        parts.push(contrast_notes(&summary.contrasts));
        parts.push(TESTS.to_owned());
        parts.push(tables::tests(summary));
    }
    parts.extend(grid(summary));
    parts.extend(identities::section(summary));
    parts.extend(
        figures
            .iter()
            .filter(of_identities)
            .map(|file| figure(file)),
    );
    let of_probes: Vec<&str> = figures.iter().filter(of_probes).copied().collect();
    parts.extend(probe_section(summary, &of_probes));
    if let Some(table) = tables::published(summary) {
        parts.push("## Published results beside ours".to_owned());
        parts.push("They choose and decide nothing.".to_owned());
        parts.push(table);
    }
    if !summary.warnings.is_empty() {
        parts.push("## Read with care".to_owned());
        parts.push(list(summary.warnings.iter().map(|w| one_line(w))));
    }
    parts.push("## How this was made".to_owned());
    parts.push(made(summary));
    let parts: Vec<&str> = parts
        .iter()
        .map(|p| p.trim_end())
        .filter(|p| !p.is_empty())
        .collect();
    parts.join("\n\n") + "\n"
}

const MOMENTS: &str = "Test accuracy (%) at other evaluations of the same runs. *Best* is the largest of a \
seed's evaluations, chosen by the test scores themselves: it flatters, stands here to be laid beside \
numbers that were published so, and chooses and decides nothing.";

const IMPROVEMENT: &str = "Improvement is the difference between treatment and control at the same \
seed, signed so that positive is better for the treatment: treatment minus control for accuracy, \
control minus treatment for NLL and ECE. The margin is the smallest difference that matters.";

const FACTORIAL: &str = "An effect of a factor is the improvement of one level over another, its mean \
over the cells of the other factors taken seed by seed. An interaction is a difference of such \
improvements: how much more the first level gains at one level of the other factor than at another.";

const TESTS: &str = "BCa: bias-corrected and accelerated bootstrap. Sign-flip: two-sided \
randomization test of no difference. TOST: two one-sided tests of a difference outside the margin. \
*For* and *against*: p of the test that would support or contradict the prediction, Holm-adjusted \
over the contrasts; one below 0.05 decides. Intervals are for each contrast on its own. d_z: mean \
over SD of the paired differences, with Hedges' correction. Detectable: the smallest true difference \
that this many pairs show with 80 % power at this spread, and the smallest margin within which they \
show a true difference of zero to be equivalent, both at the level that Holm asks of the smallest p.";

fn claim(summary: &Summary) -> Option<String> {
    let sentence = one_line(summary.sentence.as_ref()?);
    Some(match &summary.claim {
        Some(claim) => format!("> **{claim}.** {sentence}"),
        None => format!("> {sentence}"),
    })
}

fn verdict(summary: &Summary) -> String {
    let primary: Vec<&ContrastSummary> = summary
        .contrasts
        .iter()
        .filter(|c| c.contrast.primary)
        .collect();
    let Some(verdict) = summary.verdict else {
        return "**No verdict**: no contrast of this experiment is primary.".to_owned();
    };
    let word = capitalized(verdict_word(verdict));
    let tell = |contrast: &ContrastSummary| {
        let power = power(contrast).map_or(String::new(), |p| format!(" {p}"));
        format!("{}{power}", sentence(summary, contrast))
    };
    match primary.as_slice() {
        [one] => format!("**{word}.** {}", tell(one)),
        several => {
            let items = several.iter().map(|c| {
                format!(
                    "**{}** (`{}`): {}",
                    verdict_word(c.verdict),
                    c.contrast.name,
                    tell(c)
                )
            });
            format!(
                "**{word}**, by {} primary contrasts together:\n\n{}",
                several.len(),
                list(items)
            )
        }
    }
}

fn figure(file: &str) -> String {
    let what = match file {
        CURVES_FILE => "Accuracy against epoch for every arm",
        DIFFERENCES_FILE => {
            "Improvement of every contrast, seed by seed, with its interval and margin"
        }
        INTERACTION_FILE => "Score at every level of one factor, a line for each level of another",
        EFFECT_FILE => "What one level of a factor brings, along another factor",
        DOSE_FILE => "Score against the factor with numbers for levels",
        TRACES_FILE => "What probes measured, against the epoch",
        SERIES_FILE => "Curves that probes took of the trained nets",
        IDENTITIES_FILE => "Errors of the identities in every arm, and their bounds",
        MATRICES_FILE => "Interactions of pairs of units in one trained net of each arm",
        other => {
            let known = DISTRIBUTION_FILES.iter().find(|(name, _)| *name == other);
            known.map_or("Figure", |(_, words)| words)
        }
    };
    format!("![{what}]({file})")
}

fn contrast_notes(contrasts: &[ContrastSummary]) -> String {
    list(contrasts.iter().map(|contrast| {
        let power = power(contrast).map_or(String::new(), |p| format!(" {p}"));
        let asked = &contrast.contrast;
        format!("`{}`: {}{power}", asked.name, one_line(&asked.note))
    }))
}

fn grid(summary: &Summary) -> Vec<String> {
    let Some(table) = tables::grid(summary) else {
        return Vec::new();
    };
    let text = "Mean validation accuracy (%) ± SD of the last epoch for each rate. **Bold** is the \
                rate that the arm uses: the rate at which most seeds finished, then the highest mean, \
                then the lowest validation NLL. Test scores play no part.";
    vec!["## Learning rates".to_owned(), text.to_owned(), table]
}

fn probe_section(summary: &Summary, figures: &[&str]) -> Vec<String> {
    let tables = probes::tables(summary);
    if tables.is_empty() {
        return Vec::new();
    }
    let text = "Mean ± SD over seeds at the chosen learning rate; the largest value over all seeds \
                is what an identity is judged by.";
    let mut out = vec!["## Probes".to_owned()];
    out.extend(figures.iter().map(|file| figure(file)));
    out.push(text.to_owned());
    out.extend(tables);
    out
}

fn made(summary: &Summary) -> String {
    let name = &summary.name;
    let adapter = summary.adapter.as_ref().map_or(String::new(), |adapter| {
        format!("`{}` was {adapter}. ", summary.device)
    });
    format!(
        "{adapter}`ablate run {name} --device {}` trains what is missing and writes this folder; `ablate \
         report {name}` rebuilds this page and the figures without training. Every raw number of \
         every epoch is in [runs.jsonl](runs.jsonl), the numbers above without rounding in \
         [summary.json](summary.json), the machine and the revision in \
         [provenance.json](provenance.json).",
        summary.device
    )
}
