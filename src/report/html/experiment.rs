//! `report.html`: one experiment.

use super::cells;
use super::engine::{PageError, render};
use super::figure::Looks;
use super::prose::{Prose, plain};
use super::verdict::Badge;
use crate::analysis::{ContrastSummary, Summary, Ties, metric_decimals};
use crate::plot::{Curves, FigureKind, Panel, Section};
use crate::record::CellRecord;
use crate::report::finding::{meaning, measured, practice};
use crate::report::{
    REPORT_FILE, changes, design, factors, identities, looks, markdown, probes, settling,
    shared_rates, tables,
};
use crate::text::capitalized;
use crate::text::markdown::one_line;
use crate::text::number::{decimals, fixed, level};
use minijinja::context;
use serde::Serialize;

/// What a page shows.
pub(in crate::report) struct Shown<'a> {
    pub(in crate::report) summary: &'a Summary,
    pub(in crate::report) records: &'a [CellRecord],
    pub(in crate::report) ties: Option<Ties>,
    /// The figures of the report.
    pub(in crate::report) figures: &'a [(FigureKind, String)],
    /// Those of them that have values to show where a reader points.
    pub(in crate::report) curves: Vec<(FigureKind, Curves)>,
    /// Scores of the compared arms at every seed.
    pub(in crate::report) seed_pairs: Option<String>,
}

/// A figure on the page.
#[derive(Serialize)]
struct Figure {
    id: String,
    element: String,
    /// The file of the figure, for other uses.
    file: Option<&'static str>,
    /// JSON of the values that the page shows where a reader points.
    values: Option<String>,
}

/// The values of a figure, as the script reads them.
#[derive(Serialize)]
struct Values<'a> {
    axis: &'a str,
    labels: &'a [(usize, String)],
    panels: &'a [Panel],
}

/// A primary contrast at the top of the page.
#[derive(Serialize)]
struct Answer {
    badge: Badge,
    /// Its name, with claim and stratum where the experiment has several.
    name: String,
    measured: String,
    practice: Option<String>,
    more: String,
}

/// A row of the first table.
#[derive(Serialize)]
struct Row {
    name: String,
    label: String,
    score: String,
    letters: String,
    is_tied_with_best: bool,
    detectable: String,
    seeds: usize,
}

/// Makes the page of an experiment.
///
/// # Errors
/// If a template is wrong.
pub(in crate::report) fn experiment_html(shown: &Shown<'_>) -> Result<String, PageError> {
    let summary = shown.summary;
    let mut prose = Prose::default();
    let mut looks_of_figures = Looks::default();
    let mut figure = |kind: &FigureKind, svg: &str, values: Option<String>| {
        let id = kind.file.trim_end_matches(".svg").to_owned();
        Figure {
            element: looks_of_figures.inline(svg, &id, kind.alt),
            id,
            file: Some(kind.file),
            values,
        }
    };
    let is_curve = |kind: &FigureKind| shown.curves.iter().any(|(other, _)| other == kind);
    let (mut results, mut settled, mut identity_figures, mut probe_figures) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (kind, svg) in shown.figures.iter().filter(|(kind, _)| !is_curve(kind)) {
        let drawn = figure(kind, svg, None);
        match kind.section {
            Section::Results if kind.file == "settling.svg" => settled.push(drawn),
            Section::Results => results.push(drawn),
            Section::Identities => identity_figures.push(drawn),
            Section::Probes => probe_figures.push(drawn),
        }
    }
    // The differences decide, so they come first.
    results.sort_by_key(|drawn| drawn.id != "differences");
    let curves = shown.curves.iter();
    let curves: Vec<Figure> = curves
        .map(|(kind, c)| figure(kind, &c.svg, Some(values(c))))
        .collect();
    let seed_pairs = shown.seed_pairs.as_ref().map(|svg| Figure {
        element: looks_of_figures.inline(svg, "seed-pairs", SEED_PAIRS),
        id: "seed-pairs".to_owned(),
        file: None,
        values: None,
    });
    let mut joined = |parts: Vec<String>| prose.html(&without_heading(parts).join("\n\n"));
    let settled_table =
        settling::table(summary).map(|table| joined(vec![settling::SETTLING.to_owned(), table]));
    let contrasts = (!summary.contrasts.is_empty()).then(|| {
        let mut parts = markdown::explained_contrasts(summary);
        parts.extend(looks::section(summary));
        parts.extend([
            tables::contrasts(summary),
            markdown::contrast_notes(summary),
        ]);
        joined(parts)
    });
    let checks = (!summary.contrasts.is_empty()).then(|| joined(markdown::checks(summary).into()));
    let grid = markdown::grid(summary);
    let rates = [grid, shared_rates::section(summary)].concat();
    let rates = (!rates.is_empty()).then(|| joined(rates));
    let factors = factors::section(summary);
    let factors = (!factors.is_empty()).then(|| joined(factors));
    let exact = identities::section(summary);
    let exact = (!exact.is_empty()).then(|| joined(exact));
    let probe_tables = probes::tables(summary);
    let probe_tables = (!probe_tables.is_empty())
        .then(|| joined([vec![markdown::probe_text(summary)], probe_tables].concat()));
    let published = tables::published(summary).map(|table| joined(vec![table]));
    let arms = joined(markdown::arms(summary));
    let mut about = vec![design::reading(summary)];
    about.extend(design::after_trial(summary));
    about.extend(design::shared(summary));
    let design = joined(about);
    let made = joined(vec![markdown::made(summary)]);
    let cite = markdown::cite(summary).map(|text| joined(vec![text]));
    let changed = changes::opening(summary).map(|text| joined(vec![text]));
    let no_contrast = summary
        .primary()
        .next()
        .is_none()
        .then(|| joined(vec![markdown::answer(summary)]));
    let warnings: Vec<String> = summary
        .warnings
        .iter()
        .map(|w| prose.inline(&one_line(w)))
        .collect();
    let answers: Vec<Answer> = summary
        .primary()
        .map(|c| answer(summary, c, &mut prose))
        .collect();
    let csv = cells::csv(shown.records, summary);
    let words = match answers.len() {
        1 => summary.verdict_words(),
        _ => markdown::verdicts_text(summary),
    };
    render(
        "experiment.html",
        context! {
            name => summary.name,
            title => plain(&one_line(&summary.title)),
            question => prose.inline(&one_line(&summary.question)),
            claim => summary.claim,
            sentence => summary.sentence.as_ref().map(|text| prose.inline(&one_line(text))),
            changed,
            overall => Badge::of_summary(summary, &words),
            strata => markdown::strata_text(summary),
            answers,
            no_contrast,
            warnings,
            conditions => capitalized(&summary.conditions),
            device => summary.device,
            adapter => summary.adapter,
            seeds => summary.seeds.len(),
            ties => shown.ties.as_ref().map(|ties| context! {
                metric => ties.metric.label_in(ties.metric.scale()),
                unit => ties.metric.unit(),
                level => level(ties.confidence),
                pairs => ties.arms.len() * (ties.arms.len() - 1) / 2,
                has_groups => ties.has_groups,
                rows => rows(summary, ties),
            }),
            arms,
            results,
            contrasts,
            curves,
            seed_pairs,
            rates,
            settled,
            settled_table,
            factors,
            identities => exact,
            identity_figures,
            probe_tables,
            probe_figures,
            published,
            checks,
            design,
            made,
            cite,
            markdown_file => REPORT_FILE,
            cells => shown.records.len(),
            csv => cells::address(&csv),
            looks => looks_of_figures.css(),
        },
    )
}

const SEED_PAIRS: &str =
    "A line per seed from its score in the control arm to that in the treatment arm";

/// The paragraphs of a section of a report; the page has headings of its own.
fn without_heading(mut parts: Vec<String>) -> Vec<String> {
    parts.retain(|part| !part.starts_with("## "));
    parts
}

fn values(curves: &Curves) -> String {
    let values = Values {
        axis: curves.axis,
        labels: &curves.labels,
        panels: &curves.panels,
    };
    // A string in JSON may hold the end of a script element.
    serde_json::to_string(&values)
        .unwrap_or_default()
        .replace('<', "\\u003c")
}

fn answer(summary: &Summary, contrast: &ContrastSummary, prose: &mut Prose) -> Answer {
    let mut more = vec![];
    more.extend(meaning(contrast));
    more.extend(markdown::remarks(summary, contrast));
    Answer {
        badge: Badge::of_contrast(contrast),
        name: format!(
            "{}{}",
            contrast.contrast.name,
            markdown::part(summary, contrast)
        ),
        measured: prose.inline(&format!("{}.", capitalized(&measured(summary, contrast)))),
        practice: practice(summary, contrast).map(|text| prose.inline(&capitalized(&text))),
        more: prose.inline(&more.join(" ")),
    }
}

fn rows(summary: &Summary, ties: &Ties) -> Vec<Row> {
    let otherwise = metric_decimals(&ties.metric);
    let row = |tied: &crate::analysis::TiedArm| {
        let arm = &summary.arms[tied.arm];
        let spread = arm.spread(&ties.metric)?;
        let digits = decimals(spread.sd, otherwise);
        let detectable = tied
            .detectable
            .map(|size| fixed(size, decimals(Some(size), otherwise)));
        Some(Row {
            name: arm.name.clone(),
            label: plain(&arm.label),
            score: spread.mean_sd(digits),
            letters: tied.letters.clone(),
            is_tied_with_best: tied.is_tied_with_best,
            detectable: detectable.unwrap_or_default(),
            seeds: spread.n,
        })
    };
    ties.arms.iter().filter_map(row).collect()
}
