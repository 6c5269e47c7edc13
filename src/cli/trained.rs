//! What a run trained, in words.

use super::console::Console;
use crate::run::{Reproduction, RunReport};
use crate::text::counted;

/// Says how many cells were trained, reused, and went wrong.
pub(super) fn report_training(name: &str, report: &RunReport, console: &Console) {
    console.info(&format!(
        "{name}: trained {} in {:.1} s, reused {}{}{}",
        counted(report.trained, "cell"),
        report.seconds,
        report.reused,
        nonzero(report.diverged, "diverged"),
        nonzero(report.failed, "failed"),
    ));
    if let Some(text) = report.reproduction.as_ref().and_then(reproduced) {
        console.info(&format!("{name}: {text}"));
    }
}

fn nonzero(count: usize, what: &str) -> String {
    match count {
        0 => String::new(),
        n => format!(", {n} {what}"),
    }
}

/// Describes how the cells trained now compare with the committed ones; `None` if there were none.
pub(super) fn reproduced(found: &Reproduction) -> Option<String> {
    if found.compared == 0 {
        return (found.only_committed > 0).then(|| {
            "nothing to compare with: the earlier records are of other cells (the recipe, device \
             or code has changed)"
                .to_owned()
        });
    }
    let mut text = format!(
        "reproduced {} of {} bit for bit",
        found.identical,
        counted(found.compared, "cell")
    );
    let largest = found
        .largest_difference
        .filter(|_| found.identical < found.compared);
    if let Some(points) = largest {
        text.push_str(&format!(
            "; the largest difference in test accuracy is {points} points"
        ));
    }
    Some(text)
}
