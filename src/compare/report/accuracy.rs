//! Complete trainings on every device.

use super::devices::shown;
use crate::analysis::Spread;
use crate::compare::analysis::equivalence::{
    PairedDifferences, final_accuracies, paired_differences,
};
use crate::compare::results::{Accuracy, DeviceComparison, Measured, OnDevice};
use crate::stats::{Rule, Verdict};
use crate::text::counted;
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{NO_VALUE, Table};
use crate::text::number::{decimals, fixed, interval, level, signed};

fn measured(comparison: &DeviceComparison) -> bool {
    comparison.arms.iter().any(|arm| !arm.accuracy.is_empty())
}

pub(super) fn answer(comparison: &DeviceComparison) -> Option<String> {
    let pairs = paired_differences(comparison);
    if pairs.is_empty() {
        return None;
    }
    let margin = comparison.margin;
    let verdicts: Vec<Verdict> = pairs.iter().map(verdict).collect();
    let count = |wanted| verdicts.iter().filter(|v| **v == wanted).count();
    let all = verdicts.len();
    Some(
        match (count(Verdict::Contradicted), count(Verdict::Supported)) {
            (0, same) if same == all => format!(
                "**Same accuracy?** Yes: equivalent within {margin} points for every arm and device."
            ),
            (0, same) => format!(
                "**Same accuracy?** Undecided for {} of {}: neither a difference nor equivalence \
                 within {margin} points is shown.",
                all - same,
                counted(all, "pair")
            ),
            (differ, _) => format!(
                "**Same accuracy?** No: {differ} of {} differ by more than {margin} points.",
                counted(all, "pair")
            ),
        },
    )
}

fn verdict(pair: &PairedDifferences<'_>) -> Verdict {
    let decision = pair.decision.as_ref();
    let verdict = decision.and_then(|decision| decision.verdict);
    verdict.unwrap_or(Verdict::Undecided)
}

pub(super) fn section(comparison: &DeviceComparison) -> Vec<String> {
    let Some(table) = table(comparison) else {
        return Vec::new();
    };
    let first = comparison.devices.first().map_or("", |d| d.name.as_str());
    let text = format!(
        "Test accuracy after the last epoch, mean ± SD over seeds, at the first learning rate of \
         each arm. Differences are paired by seed: same start weights, data order and masks. \
         *Equivalent*: the interval lies within ±{} points of {}. *Differs*: it lies wholly \
         outside. The level of the t intervals allows for the number of pairs.",
        comparison.margin,
        shown(comparison, first)
    );
    vec!["## Same accuracy?".to_owned(), text, table]
}

pub(super) fn table(comparison: &DeviceComparison) -> Option<String> {
    if !measured(comparison) {
        return None;
    }
    let first = comparison.devices.first().map_or("", |d| d.name.as_str());
    let minus = format!("minus {first}");
    let mut table = Table::new([
        ("arm", Left),
        ("device", Left),
        ("seeds", Right),
        ("accuracy (%)", Right),
        (minus.as_str(), Right),
        ("t interval", Right),
        ("verdict", Left),
    ]);
    let pairs = paired_differences(comparison);
    for arm in &comparison.arms {
        for on in &arm.accuracy {
            let pair = pairs
                .iter()
                .find(|p| (p.arm, p.device) == (&*arm.arm, &*on.device));
            let mut row = vec![format!("`{}`", arm.arm), shown(comparison, &on.device)];
            row.extend(scores(on));
            row.extend(pair.map_or(vec![NO_VALUE.to_owned(); 3], judged));
            if let Some(why) = errors(on) {
                let last = row.last_mut().expect("a row has cells");
                *last = match last.as_str() {
                    NO_VALUE => why,
                    verdict => format!("{verdict}; {why}"),
                };
            }
            table.row(row);
        }
    }
    Some(table.render())
}

/// Number of finished seeds, and their accuracy.
fn scores(on: &OnDevice<Accuracy>) -> [String; 2] {
    let final_accuracies = final_accuracies(on);
    let spread = Spread::of(final_accuracies.iter().map(|(_, accuracy)| *accuracy));
    let spread = spread.map(|s| s.mean_sd(decimals(s.sd, 2)));
    [
        final_accuracies.len().to_string(),
        spread.unwrap_or_else(|| NO_VALUE.to_owned()),
    ]
}

fn judged(pair: &PairedDifferences<'_>) -> Vec<String> {
    let Some(decision) = &pair.decision else {
        let seeds = counted(pair.differences.len(), "pair");
        return vec![
            NO_VALUE.to_owned(),
            NO_VALUE.to_owned(),
            format!("undecided: {seeds}"),
        ];
    };
    let d = decimals(decision.sd, 2);
    let shown = decision.interval.map(|i| {
        let level = level(decision.confidence);
        format!("{} ({level} %)", interval(i, d))
    });
    let equal = pair.differences.iter().all(|x| *x == 0.0);
    let power = 100.0 * Rule::default().power;
    let verdict = match verdict(pair) {
        Verdict::Supported => "**equivalent**".to_owned(),
        Verdict::Contradicted => "**differs**".to_owned(),
        Verdict::Undecided => match decision.detectable_margin {
            Some(margin) => format!(
                "undecided: equivalence within ±{} would be detected with {power:.0} % power",
                fixed(margin, d)
            ),
            None => "undecided: too few seeds".to_owned(),
        },
    };
    let equal = if equal { ", equal for every seed" } else { "" };
    vec![
        signed(decision.mean, d),
        shown.unwrap_or_else(|| NO_VALUE.to_owned()),
        format!("{verdict}{equal}"),
    ]
}

/// Errors on a device.
fn errors(on: &OnDevice<Accuracy>) -> Option<String> {
    match &on.outcome {
        Measured::Failed { error } => Some(format!("**failed**: {error}")),
        Measured::Done(accuracy) => {
            let found: Vec<&str> = accuracy
                .cells
                .iter()
                .filter_map(|c| c.error.as_deref())
                .collect();
            let first = found.first()?;
            Some(format!(
                "{} without a result: {first}",
                counted(found.len(), "seed")
            ))
        }
    }
}
