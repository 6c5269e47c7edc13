//! `ablate plan`.

use super::arguments::{Results, RunSettings};
use super::console::Console;
use super::estimate;
use super::exit::{Code, Failure};
use super::folder::summary_of;
use super::run;
use super::sheet::{self, Sheet, TableFormat, TableFormatArg};
use super::work::Survey;
use crate::analysis::{PowerForecast, power_forecast};
use crate::plan::warnings;
use crate::spec::{Contrast, Expect, Metric};
use crate::text::counted;
use crate::text::duration::duration;
use crate::text::markdown::Align::{Left, Right};
use crate::text::number::{decimals, fixed};
use crate::text::wrap::paragraph;
use serde::Serialize;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: run::Common,
    #[command(flatten)]
    wanted: Wanted,
}

/// What a preview shows.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Wanted {
    /// Skip the time estimate, which trains a few steps
    #[arg(long)]
    no_time: bool,
    /// Expected test error in percent, for the power of
    /// contrasts whose arms have no recorded results
    #[arg(
        long,
        value_name = "PERCENT",
        value_parser = percent,
        verbatim_doc_comment
    )]
    expected_error: Option<f64>,
    #[command(flatten)]
    format: TableFormatArg,
}

/// Parses an error rate in percent.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches(['%', ' ']).parse::<f64>().ok();
    let inside = number.filter(|x| *x > 0.0 && *x < 100.0);
    inside.ok_or_else(|| "it must be a number between 0 and 100".to_owned())
}

/// The preview of one experiment.
#[derive(Debug, Serialize)]
struct Planned {
    name: String,
    title: String,
    arms: usize,
    seeds: usize,
    /// Distinct cells.
    cells: usize,
    /// Cells with a record in the journal.
    recorded: usize,
    /// Cells with a record in the committed `runs.jsonl` only.
    committed: usize,
    /// Cells that a run trains.
    to_train: usize,
    /// Jobs that contain these cells.
    jobs: usize,
    /// Estimated seconds of the run; absent if not estimated.
    seconds: Option<f64>,
    contrasts: Vec<PowerForecast>,
    /// Contrasts that may stay undecided, then other weaknesses of the design.
    warnings: Vec<Warning>,
}

#[derive(Debug, Serialize)]
struct Warning {
    what: String,
    advice: String,
}

pub(super) fn plan(args: &Args, console: &Console) -> Result<Code, Failure> {
    let (surveys, results) = args.run.surveys()?;
    preview(
        &surveys,
        &args.run.settings,
        &results,
        &args.wanted,
        console,
    )
}

/// Prints what a run would train.
pub(super) fn preview(
    surveys: &[Survey],
    settings: &RunSettings,
    results: &Results,
    wanted: &Wanted,
    console: &Console,
) -> Result<Code, Failure> {
    let on = surveys
        .iter()
        .map(|survey| (&survey.spec, survey.device.as_str()));
    run::find_device(on, console)?;
    for text in surveys.iter().flat_map(|survey| &survey.damaged) {
        console.warn(&format!("{text}; its cell counts as missing"));
    }
    let mut planned = Vec::new();
    for survey in surveys {
        let seconds = match wanted.no_time {
            true => None,
            false => estimate::seconds(survey, settings, &results.folder, console)?,
        };
        let summary = summary_of(&survey.spec.name, &results.folder);
        let contrasts = power_forecast(&survey.spec, summary.as_ref(), wanted.expected_error);
        planned.push(describe(survey, contrasts, seconds));
    }
    match wanted.format.format {
        TableFormat::Text => console.print(&text(surveys, &planned, &results.to_string()))?,
        format => {
            let sheets = [sheet_of(&planned)];
            sheet::print(format, "", &sheets, &COLUMNS, &planned, &planned, console)?;
        }
    }
    Ok(Code::Done)
}

/// Columns of the plan as CSV; warnings and power are in the JSON form.
const COLUMNS: [&str; 10] = [
    "name",
    "title",
    "arms",
    "seeds",
    "cells",
    "recorded",
    "committed",
    "to_train",
    "jobs",
    "seconds",
];

fn sheet_of(planned: &[Planned]) -> Sheet {
    let numbers = [
        "arms", "seeds", "cells", "recorded", "to train", "jobs", "time",
    ];
    let columns = numbers.map(|name| (name.to_owned(), Right));
    let first = ("experiment".to_owned(), Left);
    let mut sheet = Sheet::new("Cells to train", [first].into_iter().chain(columns));
    for plan in planned {
        let time = plan.seconds.map_or(String::new(), duration);
        let counts = [
            plan.arms,
            plan.seeds,
            plan.cells,
            plan.recorded,
            plan.to_train,
            plan.jobs,
        ];
        let counts = counts.map(|count| count.to_string());
        let row = [plan.name.clone()].into_iter().chain(counts);
        sheet.row(row.chain([time]).collect());
    }
    sheet
}

fn describe(survey: &Survey, contrasts: Vec<PowerForecast>, seconds: Option<f64>) -> Planned {
    let (spec, jobs) = (&survey.spec, survey.sizes().count());
    let to_run = contrasts.iter().filter(|_| jobs > 0);
    let weak = to_run.filter_map(PowerForecast::weak);
    let weak = weak.map(|weak| Warning {
        what: weak.to_string(),
        advice: weak.advice(),
    });
    let found = warnings(spec).into_iter().map(|warning| Warning {
        what: warning.to_string(),
        advice: warning.advice(),
    });
    let warnings = weak.chain(found).collect();
    Planned {
        name: spec.name.clone(),
        title: spec.title.clone(),
        arms: spec.arms.len(),
        seeds: spec.seeds.len(),
        cells: survey.cells,
        recorded: survey.recorded,
        committed: survey.committed,
        to_train: survey.to_train(),
        jobs,
        seconds,
        contrasts,
        warnings,
    }
}

fn text(surveys: &[Survey], planned: &[Planned], results: &str) -> String {
    let mut out = String::new();
    for (survey, plan) in surveys.iter().zip(planned) {
        out.push_str(&format!("{}: {}\n", plan.name, plan.title));
        for warning in &plan.warnings {
            out.push_str(&paragraph(1, &format!("warning: {}", warning.what)));
            out.push_str(&paragraph(2, &format!("advice: {}", warning.advice)));
        }
        out.push_str(&paragraph(1, &cells(plan, results)));
        out.push_str(&committed(plan));
        for (contrast, forecast) in survey.spec.contrasts.iter().zip(&plan.contrasts) {
            out.push_str(&paragraph(1, &power(contrast, forecast)));
        }
        out.push('\n');
    }
    let to_train: usize = planned.iter().map(|plan| plan.to_train).sum();
    let seconds: Option<f64> = planned.iter().map(|plan| plan.seconds).sum();
    let time = seconds.map_or(String::new(), |s| format!(", about {}", duration(s)));
    out + &format!("total: {} to train{time}\n", counted(to_train, "cell"))
}

fn cells(plan: &Planned, results: &str) -> String {
    let mut text = format!(
        "  {} ({}, {}): {} recorded in `{results}`, {} to train in {}",
        counted(plan.cells, "cell"),
        counted(plan.arms, "arm"),
        counted(plan.seeds, "seed"),
        plan.recorded,
        plan.to_train,
        counted(plan.jobs, "job"),
    );
    if let Some(seconds) = plan.seconds.filter(|_| plan.to_train > 0) {
        text.push_str(&format!(", about {}", duration(seconds)));
    }
    text
}

/// A paragraph about cells that are trained again although `runs.jsonl` has them.
fn committed(plan: &Planned) -> String {
    if plan.committed == 0 || plan.to_train == 0 {
        return String::new();
    }
    let cells = counted(plan.committed.min(plan.to_train), "cell");
    paragraph(
        1,
        &format!("{cells} from `runs.jsonl` will be trained again; `--adopt` reuses them instead"),
    )
}

/// The smallest difference or margin that a contrast can show.
fn power(contrast: &Contrast, forecast: &PowerForecast) -> String {
    let unit = contrast.metric.unit();
    let start = format!("`{}` ({})", contrast.name, contrast.metric.label());
    let Some(sd) = forecast.sd else {
        let predictable = matches!(contrast.metric, Metric::TestAccuracy | Metric::TestNll);
        let advice = match predictable {
            true => "; `--expected-error PERCENT` predicts it",
            false => "",
        };
        return format!("{start}: its power is unknown before the first results{advice}");
    };
    if sd == 0.0 {
        return format!("{start}: all recorded differences are equal");
    }
    let d = decimals(Some(sd), 2);
    let shown = match contrast.expect {
        Expect::Equivalent => forecast
            .equivalence_margin
            .map(|m| format!("equivalence within {} {unit}", fixed(m, d))),
        Expect::Better | Expect::Worse | Expect::Differs => forecast
            .difference
            .map(|x| format!("a difference of {} {unit}", fixed(x, d))),
    };
    let Some(shown) = shown else {
        return format!("{start}: cannot show a difference of any size");
    };
    format!(
        "{start}: can show {shown} with 80 % power (margin {}, {})",
        contrast.margin,
        deviation(forecast, &fixed(sd, d))
    )
}

/// The standard deviation `sd` of a forecast, and what it rests on.
fn deviation(forecast: &PowerForecast, sd: &str) -> String {
    let Some(expected) = forecast.expected else {
        return format!("recorded SD of differences {sd}");
    };
    let factor = expected.factor;
    let unit = match forecast.metric {
        Metric::TestNll => " nats",
        _ => "",
    };
    format!(
        "expected SD of differences {sd}: {}{unit} times the binomial SD of {} test images at {} % \
         error; the factor is the median of {} with a spread of {}",
        fixed(factor.median, 2),
        expected.images,
        fixed(expected.error, 1),
        counted(factor.contrasts, "recorded contrast"),
        fixed(factor.spread, 1),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_rates_are_percentages() {
        assert_eq!(percent("2.5"), Ok(2.5));
        assert_eq!(percent("3 %"), Ok(3.0));
        for text in ["0", "100", "-1", "nan", "much"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }
}
