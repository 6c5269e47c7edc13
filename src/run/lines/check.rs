//! Whether the numbers of a record can be those of a cell.

use crate::record::{CellRecord, EpochRecord, LONGEST_SERIES, MOST_NAMES, Outcome, Scores};

/// Largest rounding error of an accuracy in percent, and of another score.
const ROUNDING: f64 = 1e-6;

/// Checks that all numbers of a record are finite (JSON would turn others into `null`), that scores are
/// in their ranges, and that its epochs ascend and fit its outcome.
pub(in crate::run) fn check(record: &CellRecord) -> Result<(), String> {
    if let Some(rate) = record.learning_rate {
        finite(rate, || "learning_rate".to_owned())?;
    }
    let mut last = None;
    for epoch in &record.epochs {
        if epoch.step.is_some() != record.epochs[0].step.is_some() {
            return Err("it counts some evaluations in steps and some in epochs".to_owned());
        }
        let place = epoch.place();
        if let Some(last) = last.filter(|last| place <= *last) {
            return Err(format!("an evaluation at {place} follows one at {last}"));
        }
        last = Some(place);
        check_epoch(epoch)?;
    }
    check_probes(record)?;
    check_misclassified(record)?;
    match record.outcome {
        Outcome::Diverged { epoch } if record.epochs.last().is_some_and(|e| e.epoch >= epoch) => {
            Err(format!(
                "it diverged in epoch {epoch} but has a later evaluation"
            ))
        }
        _ => Ok(()),
    }
}

/// Checks that numbers are finite, traces have one value per epoch, and sizes are within bounds.
fn check_probes(record: &CellRecord) -> Result<(), String> {
    for (field, names) in [
        ("probes", record.probes.len()),
        ("traces", record.traces.len()),
        ("series", record.series.len()),
    ] {
        if names > MOST_NAMES {
            return Err(format!("{field} has {names} names, more than {MOST_NAMES}"));
        }
    }
    for (name, &value) in &record.probes {
        finite(value, || format!("probes.{name}"))?;
    }
    let epochs = record.epochs.len();
    for (name, values) in &record.traces {
        if values.len() != epochs {
            let n = values.len();
            return Err(format!("traces.{name} has {n} values for {epochs} epochs"));
        }
    }
    for (name, values) in &record.series {
        if values.len() > LONGEST_SERIES {
            let n = values.len();
            return Err(format!(
                "series.{name} has {n} values, more than {LONGEST_SERIES}"
            ));
        }
    }
    let lists = [("traces", &record.traces), ("series", &record.series)];
    for (field, lists) in lists {
        for (name, values) in lists {
            for &value in values {
                finite(value, || format!("{field}.{name}"))?;
            }
        }
    }
    Ok(())
}

/// Checks that the misclassified images are those of a finished cell, and as many as its accuracy says.
fn check_misclassified(record: &CellRecord) -> Result<(), String> {
    let Some(list) = &record.misclassified else {
        return Ok(());
    };
    let last = record.epochs.last().and_then(|epoch| epoch.test);
    let Some(Scores { accuracy, .. }) = last.filter(|_| record.outcome == Outcome::Done) else {
        return Err("it is not finished, but lists misclassified images".to_owned());
    };
    let counted = list.accuracy();
    if (counted - accuracy).abs() > ROUNDING {
        return Err(format!(
            "its last test accuracy is {accuracy}, but {} of {} images misclassified give {counted}",
            list.indices().len(),
            list.tested()
        ));
    }
    Ok(())
}

fn check_epoch(epoch: &EpochRecord) -> Result<(), String> {
    let at = |name: &str| format!("{name} of epoch {}", epoch.epoch);
    // A program reports metrics; a net has a training loss and test scores.
    if epoch.metrics.is_empty() && (epoch.train_loss.is_none() || epoch.test.is_none()) {
        return Err(format!(
            "{} must have `metrics`, or `train_loss` and `test`",
            at("the evaluation")
        ));
    }
    if let Some(loss) = epoch.train_loss {
        finite(loss, || at("train_loss"))?;
    }
    if epoch.metrics.len() > MOST_NAMES {
        let found = epoch.metrics.len();
        return Err(format!("metrics has {found} names, more than {MOST_NAMES}"));
    }
    for (name, &value) in &epoch.metrics {
        finite(value, || at(&format!("metrics.{name}")))?;
    }
    for (set, scores) in [("validation", epoch.validation), ("test", epoch.test)] {
        let Some(scores) = scores else { continue };
        let Scores { accuracy, nll, ece } = scores;
        let score = |name: &str| at(&format!("{set}.{name}"));
        within(accuracy, 100.0, || score("accuracy"))?;
        within(nll, f64::INFINITY, || score("nll"))?;
        within(ece, 100.0, || score("ece"))?;
    }
    Ok(())
}

/// Checks that a score is finite and between 0 and `most`, except for rounding.
fn within(value: f64, most: f64, name: impl Fn() -> String) -> Result<(), String> {
    finite(value, &name)?;
    match (-ROUNDING..=most + ROUNDING).contains(&value) {
        true => Ok(()),
        false if most.is_finite() => {
            Err(format!("{} is {value}, not between 0 and {most}", name()))
        }
        false => Err(format!("{} is {value}, less than 0", name())),
    }
}

/// Checks that a number is finite. Its `name` is made only for an error, because this is called for every number.
fn finite(value: f64, name: impl Fn() -> String) -> Result<(), String> {
    if value.is_finite() {
        return Ok(());
    }
    Err(format!("{} is {value}, not a finite number", name()))
}
