//! Caveats about the results, as sentences for the report.

use super::learning_rate::open;
use super::{ArmSummary, Cells, ContrastSummary};
use crate::plan::Warning;
use crate::record::Outcome;
use crate::stats::MIN_SIMULATED_SEEDS;
use crate::text::{capitalized, counted};

/// All warnings, the most serious first.
pub(super) fn collect(
    cells: &Cells<'_>,
    arms: &[ArmSummary],
    contrasts: &[ContrastSummary],
) -> Vec<String> {
    let mut out = Vec::new();
    for (a, arm) in arms.iter().enumerate() {
        out.extend(unfinished(arm));
        out.extend(first_error(cells, a, arm));
        out.extend(incomplete(cells, a, arm));
    }
    out.extend(
        contrasts
            .iter()
            .filter_map(|contrast| left_out(cells, contrast)),
    );
    out.extend(too_few_seeds(contrasts));
    out.extend(grid_ends(arms, contrasts));
    match cells.unmatched() {
        0 => {}
        1 => out.push("1 record matches no cell of the spec and was left out.".to_owned()),
        n => out.push(format!(
            "{n} records match no cell of the spec and were left out."
        )),
    }
    out
}

fn unfinished(arm: &ArmSummary) -> Option<String> {
    let total = arm.n + arm.diverged + arm.failed + arm.missing;
    if arm.n == total {
        return None;
    }
    let reasons: Vec<String> = [
        (arm.diverged, "diverged"),
        (arm.failed, "failed"),
        (arm.missing, "not run"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    Some(format!(
        "Arm `{}` finished at {} of {total} seeds ({}{}); its means are over the finished seeds only.",
        arm.name,
        arm.n,
        reasons.join(", "),
        (arm.learning_rate).map_or(String::new(), |rate| format!(" at learning rate {rate}"))
    ))
}

/// The first error of an arm at any learning rate; `runs.jsonl` has the others.
fn first_error(cells: &Cells<'_>, index: usize, arm: &ArmSummary) -> Option<String> {
    let failed = cells.grid(index).iter().flat_map(|row| row.records());
    let (record, error) = failed
        .filter_map(|r| match &r.outcome {
            Outcome::Failed { error } => Some((r, error)),
            _ => None,
        })
        .next()?;
    Some(format!(
        "Arm `{}`, seed {}{} failed: {error}.",
        arm.name,
        record.seed,
        (record.learning_rate).map_or(String::new(), |rate| format!(", learning rate {rate}")),
        error = error.trim_end_matches('.')
    ))
}

/// Warns of an arm whose learning rate was chosen among incomplete ones, or without some of them.
fn incomplete(cells: &Cells<'_>, index: usize, arm: &ArmSummary) -> Option<String> {
    let grid = cells.grid(index);
    let ignored = grid.iter().filter(|row| open(row) > 0).count();
    if grid.len() < 2 || ignored == 0 {
        return None;
    }
    let (name, rate) = (&arm.name, arm.learning_rate?);
    Some(match ignored == grid.len() {
        true => format!(
            "Arm `{name}` has failed or missing cells at every learning rate; it uses {rate}, the most \
             complete one."
        ),
        false => format!(
            "Arm `{name}` has failed or missing cells at {}, which cannot be chosen; it uses {rate}.",
            counted(ignored, "learning rate")
        ),
    })
}

fn left_out(cells: &Cells<'_>, contrast: &ContrastSummary) -> Option<String> {
    if contrast.left_out.is_empty() {
        return None;
    }
    let n = contrast.improvements.len();
    let reason = match cells.is_planned() {
        true => "at which an arm did not finish",
        false => "that not all of its arms have",
    };
    let consequence = if contrast.decision.is_none() {
        " At least two pairs are needed for a decision."
    } else if !cells.is_planned() {
        ""
    } else {
        " Seeds that do not finish are rarely typical, so the estimate may be biased."
    };
    Some(format!(
        "Contrast `{}` leaves out {} {reason} and is based on {}.{consequence}",
        contrast.contrast.name,
        counted(contrast.left_out.len(), "seed"),
        counted(n, contrast.contrast.comparison.unit()),
    ))
}

/// Warns of a contrast with fewer seeds than the error rates of the rule were simulated for.
///
/// One warning, for the contrast with the fewest seeds, because the contrasts of a spec nearly always
/// have the same number.
fn too_few_seeds(contrasts: &[ContrastSummary]) -> Option<String> {
    let decided = contrasts.iter().filter(|c| c.decision.is_some());
    let fewest = decided.min_by_key(|c| c.improvements.len())?;
    let n = fewest.improvements.len();
    (n < MIN_SIMULATED_SEEDS).then(|| {
        let warning = Warning::UncheckedSeeds { seeds: n };
        capitalized(&format!("{warning}; {}.", warning.advice()))
    })
}

/// The end of two rates, its name, and the direction beyond it.
type End = (fn(f64, f64) -> f64, &'static str, &'static str);

/// Warns of arms with a chosen learning rate at either end of their grid, first of those with a verdict.
fn grid_ends(arms: &[ArmSummary], contrasts: &[ContrastSummary]) -> Vec<String> {
    let primary = |arm: &ArmSummary| {
        let mut terms = (contrasts.iter().filter(|c| c.contrast.primary))
            .flat_map(|contrast| &contrast.contrast.weights);
        terms.any(|term| term.arm == arm.name)
    };
    let at = |end: fn(f64, f64) -> f64, wanted: bool| -> Vec<String> {
        let tried = arms.iter().filter(|arm| arm.grid.len() > 1);
        let tried = tried.filter(|arm| primary(arm) == wanted);
        let there = tried.filter(|arm| {
            let rates = arm.grid.iter().filter_map(|r| r.learning_rate);
            rates.reduce(end) == arm.learning_rate
        });
        there
            .filter_map(|arm| Some(format!("`{}` ({})", arm.name, arm.learning_rate?)))
            .collect()
    };
    let ends: [End; 2] = [
        (f64::min, "smallest", "smaller"),
        (f64::max, "largest", "larger"),
    ];
    let sentence = |wanted: bool, (end, extreme, other): End| {
        let names = at(end, wanted).join(", ");
        let (whose, so) = match wanted {
            true => ("arms of primary contrasts, ", ", and the verdict another"),
            false => ("", ""),
        };
        (!names.is_empty()).then(|| {
            format!(
                "The chosen learning rate is the {extreme} of its grid in {whose}{names}; a {other} rate \
                 may be better{so}."
            )
        })
    };
    let both = [true, false].into_iter();
    both.flat_map(|wanted| ends.map(|end| sentence(wanted, end)))
        .flatten()
        .collect()
}
