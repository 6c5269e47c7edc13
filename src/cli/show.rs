//! `ablate show`.

use super::arguments::ResultsArg;
use super::console::Console;
use super::exit::{Code, Failure};
use super::folder;
use super::found::{Found, Named, Places};
use super::root;
use super::sheet::{self, Sheet, TableFormatArg};
use crate::analysis::{
    ArmSummary, ContrastSummary, Summary, finding_words, metric_decimals, prediction_word,
};
use crate::plot::FIGURE_FILES;
use crate::report::{
    CLAIMS_FOLDER, REPORT_FILE, answer, changed_by, claim_figure_file, claim_file, claims_text,
    unchanged,
};
use crate::spec::{Claim, Metric};
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{Align, NO_VALUE};
use crate::text::number::{decimals, interval, level, signed};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of an experiment, variant or claim, or path of a
    /// results folder, also one that was copied from elsewhere
    #[arg(value_name = "NAME", required = true, verbatim_doc_comment)]
    names: Vec<String>,
    /// Print the path of the main figure only
    #[arg(long)]
    figure: bool,
    /// Folder of the experiments, for claims
    #[arg(long, value_name = "DIR", default_value_os_t = root::experiments())]
    experiments: PathBuf,
    #[command(flatten)]
    results: ResultsArg,
    #[command(flatten)]
    format: TableFormatArg,
}

/// Columns of the tidy table.
const COLUMNS: [&str; 18] = [
    "experiment",
    "kind",
    "name",
    "metric",
    "unit",
    "learning_rate",
    "n",
    "mean",
    "sd",
    "min",
    "max",
    "low",
    "high",
    "confidence",
    "margin",
    "predicted",
    "finding",
    "verdict",
];

/// One score of an arm, or one contrast, without rounding.
#[derive(Debug, Default, Serialize)]
struct Tidy {
    experiment: String,
    /// `arm` or `contrast`. The mean of a contrast is an improvement: positive is better.
    kind: &'static str,
    name: String,
    metric: String,
    unit: String,
    learning_rate: Option<f64>,
    n: usize,
    mean: Option<f64>,
    sd: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    confidence: Option<f64>,
    margin: Option<f64>,
    predicted: Option<&'static str>,
    finding: Option<&'static str>,
    verdict: Option<String>,
}

/// What `--format json` prints for each name.
#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    question: String,
    verdict: Option<String>,
    changed_by: Option<String>,
    folder: PathBuf,
    figure: Option<PathBuf>,
    report: PathBuf,
    results: Vec<Tidy>,
}

/// One thing to show.
struct Item {
    text: String,
    sheets: Vec<Sheet>,
    shown: Shown,
}

pub(super) fn show(args: &Args, console: &Console) -> Result<Code, Failure> {
    let places = Places::new(&args.results, &args.experiments)?;
    let mut items = Vec::new();
    for name in &args.names {
        items.push(match places.find(name)? {
            Named::Results(found) => of_results(&found),
            Named::Claim(claim) => of_claim(&claim, places.first(), console),
        });
    }
    if args.figure {
        return figures(&items, console);
    }
    let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
    let text = texts.join("\n");
    let sheets: Vec<Sheet> = items.iter().flat_map(|item| item.sheets.clone()).collect();
    let shown: Vec<Shown> = items.into_iter().map(|item| item.shown).collect();
    let tidy: Vec<&Tidy> = shown.iter().flat_map(|shown| &shown.results).collect();
    sheet::print(
        args.format.format,
        &text,
        &sheets,
        &COLUMNS,
        &tidy,
        &shown,
        console,
    )?;
    Ok(Code::Done)
}

fn figures(items: &[Item], console: &Console) -> Result<Code, Failure> {
    for item in items {
        let Some(figure) = &item.shown.figure else {
            return Err(Failure::unavailable(format!(
                "`{}` has no figure; draw the figures with `ablate report`",
                item.shown.folder.display()
            )));
        };
        console.print(&format!("{}\n", figure.display()))?;
    }
    Ok(Code::Done)
}

fn of_results(found: &Found) -> Item {
    let Found { folder, summary } = found;
    let figure = FIGURE_FILES.iter().map(|file| folder.join(file));
    let figure = main_figure(summary, folder).or_else(|| figure.into_iter().find(|f| f.is_file()));
    let report = folder.join(REPORT_FILE);
    let mut text = answer(summary);
    if let Some(figure) = &figure {
        text.push_str(&format!("  figure: {}\n", figure.display()));
    }
    text.push_str(&format!("  report: {}\n", report.display()));
    let mut results: Vec<Tidy> = Vec::new();
    for arm in &summary.arms {
        results.extend(
            summary
                .scores()
                .iter()
                .map(|metric| tidy_arm(summary, arm, metric)),
        );
    }
    results.extend(
        summary
            .contrasts
            .iter()
            .map(|contrast| tidy_contrast(summary, contrast)),
    );
    let contrasts: Vec<_> = summary.contrasts.iter().map(|c| (summary, c)).collect();
    Item {
        text,
        sheets: vec![
            arms(summary),
            contrast_sheet(&summary.name, &contrasts, false),
        ],
        shown: Shown {
            name: summary.name.clone(),
            question: summary.question.clone(),
            verdict: summary.verdict.map(|_| summary.short_verdict_words()),
            changed_by: changed_by(&summary.changes, &summary.seeds),
            folder: folder.clone(),
            figure,
            report,
            results,
        },
    }
}

/// The figure of the paired differences, which shows the answer; `None` if it was not drawn.
fn main_figure(summary: &Summary, folder: &Path) -> Option<PathBuf> {
    let file = match summary.primary().count() {
        0 => return None,
        _ => folder.join("differences.svg"),
    };
    file.is_file().then_some(file)
}

fn of_claim(claim: &Claim, results: &Path, console: &Console) -> Item {
    let summaries = unchanged(&folder::summaries(results, &[], console));
    let tests: Vec<(&Summary, &ContrastSummary)> = (summaries.iter())
        .flat_map(|summary| {
            summary
                .contrasts
                .iter()
                .map(move |contrast| (summary, contrast))
        })
        .filter(|(_, contrast)| contrast.tests(&claim.name))
        .collect();
    let folder = results.join(CLAIMS_FOLDER);
    let figure = Some(folder.join(claim_figure_file(&claim.name))).filter(|file| file.is_file());
    let report = folder.join(claim_file(&claim.name));
    let table = claims_text(std::slice::from_ref(claim), &summaries);
    let mut text =
        table.unwrap_or_else(|| format!("{} {}: not tested yet\n", claim.name, claim.short));
    if let Some(figure) = &figure {
        text.push_str(&format!("figure: {}\n", figure.display()));
    }
    text.push_str(&format!("page: {}\n", report.display()));
    text.push_str(&format!("`ablate explain {}` explains it\n", claim.name));
    Item {
        text,
        sheets: vec![contrast_sheet(&claim.name, &tests, true)],
        shown: Shown {
            name: claim.name.clone(),
            question: claim.sentence.clone(),
            verdict: None,
            changed_by: None,
            folder,
            figure,
            report,
            results: tests
                .iter()
                .map(|(summary, contrast)| tidy_contrast(summary, contrast))
                .collect(),
        },
    }
}

fn tidy_arm(summary: &Summary, arm: &ArmSummary, metric: &Metric) -> Tidy {
    let spread = arm.spread(metric);
    Tidy {
        experiment: summary.name.clone(),
        kind: "arm",
        name: arm.name.clone(),
        metric: metric.name().into_owned(),
        unit: metric.scale().to_owned(),
        learning_rate: arm.learning_rate,
        n: spread.map_or(0, |spread| spread.n),
        mean: spread.map(|spread| spread.mean),
        sd: spread.and_then(|spread| spread.sd),
        min: spread.map(|spread| spread.min),
        max: spread.map(|spread| spread.max),
        ..Tidy::default()
    }
}

fn tidy_contrast(summary: &Summary, contrast: &ContrastSummary) -> Tidy {
    let decision = contrast.decision.as_ref();
    let bounds = contrast.interval();
    let asked = &contrast.contrast;
    Tidy {
        experiment: summary.name.clone(),
        kind: "contrast",
        name: asked.name.clone(),
        metric: asked.when.read(&asked.metric.name()),
        unit: asked.metric.unit().to_owned(),
        n: decision.map_or(contrast.improvements.len(), |decision| decision.n),
        mean: decision.map(|decision| decision.mean),
        sd: decision.and_then(|decision| decision.sd),
        low: bounds.map(|bounds| bounds.low),
        high: bounds.map(|bounds| bounds.high),
        confidence: decision.map(|decision| decision.confidence),
        margin: Some(asked.margin),
        predicted: Some(prediction_word(asked.expect)),
        finding: Some(finding_words(contrast.finding())),
        verdict: contrast.verdict.map(|_| contrast.short_verdict_words()),
        ..Tidy::default()
    }
}

/// One row per arm: scores as mean ± SD over seeds, learning rate, seeds.
fn arms(summary: &Summary) -> Sheet {
    let scores = summary.scores();
    let rates = summary.arms.iter().any(|arm| arm.learning_rate.is_some());
    let mut columns: Vec<(String, Align)> = vec![("arm".to_owned(), Left)];
    columns.extend(scores.iter().map(|m| (heading(m), Right)));
    columns.extend(rates.then(|| ("rate".to_owned(), Right)));
    columns.push(("seeds".to_owned(), Right));
    let caption = format!("Arms of {}, mean ± SD over seeds", summary.name);
    let mut sheet = Sheet::new(&caption, columns);
    for arm in &summary.arms {
        let mut row = vec![arm.name.clone()];
        row.extend(scores.iter().map(|metric| {
            let spread = arm.spread(metric);
            let shown =
                |s: &crate::analysis::Spread| s.mean_sd(decimals(s.sd, metric_decimals(metric)));
            spread.map_or(NO_VALUE.to_owned(), shown)
        }));
        let rate = arm
            .learning_rate
            .map_or(String::new(), |rate| rate.to_string());
        row.extend(rates.then_some(rate));
        row.push(arm.n.to_string());
        sheet.row(row);
    }
    sheet
}

fn heading(metric: &Metric) -> String {
    match metric {
        Metric::TestAccuracy => "accuracy (%)".to_owned(),
        Metric::TestNll => "NLL (nats)".to_owned(),
        Metric::TestEce => "ECE (%)".to_owned(),
        Metric::Probe(_) | Metric::Program(_) => format!("{} ({})", metric.label(), metric.scale()),
    }
}

/// One row per contrast: improvement with its interval, pairs, finding and verdict.
fn contrast_sheet(of: &str, contrasts: &[(&Summary, &ContrastSummary)], named: bool) -> Sheet {
    let mut columns: Vec<(String, Align)> = Vec::new();
    columns.extend(named.then(|| ("experiment".to_owned(), Left)));
    columns.extend(["contrast", "improvement (interval)"].map(|name| (name.to_owned(), Left)));
    columns.push(("n".to_owned(), Right));
    columns.push(("finding and verdict".to_owned(), Left));
    let caption = format!("Contrasts of {of}; positive is better for the first of the two");
    let mut sheet = Sheet::new(&caption, columns);
    for (summary, contrast) in contrasts {
        let mut row = Vec::new();
        row.extend(named.then(|| summary.name.clone()));
        row.push(contrast.contrast.name.clone());
        row.push(improvement(contrast));
        let n = contrast
            .decision
            .as_ref()
            .map_or(contrast.improvements.len(), |d| d.n);
        row.push(n.to_string());
        let finding = finding_words(contrast.finding());
        row.push(match contrast.verdict {
            Some(_) => format!("{finding}: {}", contrast.short_verdict_words()),
            None => format!("{finding} (exploratory)"),
        });
        sheet.row(row);
    }
    sheet
}

/// `+0.42 points (+0.31 to +0.53, 95 %)`.
fn improvement(contrast: &ContrastSummary) -> String {
    let Some(decision) = &contrast.decision else {
        return NO_VALUE.to_owned();
    };
    let (d, unit) = (contrast.decimals(), contrast.contrast.metric.unit());
    let mean = signed(decision.mean, d);
    match decision.interval {
        Some(bounds) => format!(
            "{mean} {unit} ({}, {} %)",
            interval(bounds, d),
            level(decision.confidence)
        ),
        None => format!("{mean} {unit}"),
    }
}
