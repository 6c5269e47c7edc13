//! What a report says about changes of an experiment by the command line, and how to repeat it.

use crate::analysis::Summary;
use crate::spec::{Changes, RESOLVED_FILE};
use crate::text::counted;

/// The changes in words; `None` without any. `seeds` are those that were used.
pub fn changed_by(changes: &Changes, seeds: &[u64]) -> Option<String> {
    let mut parts: Vec<String> = changes.set.iter().map(|set| format!("`{set}`")).collect();
    if let Some(in_file) = &changes.seeds_in_file {
        parts.push(match in_file.len() == seeds.len() {
            true => format!("the seeds {seeds:?} instead of {in_file:?}"),
            false => format!(
                "{} instead of {}",
                counted(seeds.len(), "seed"),
                in_file.len()
            ),
        });
    }
    if let Some(device) = &changes.device {
        parts.push(format!("the device `{device}`"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The paragraph that opens the report of a changed experiment; `None` for others.
pub(super) fn opening(summary: &Summary) -> Option<String> {
    let changed = changed_by(&summary.changes, &summary.seeds)?;
    let whose = match &summary.changes.variant_of {
        Some(name) => format!("This is a variant of `{name}`"),
        None => "This is not the experiment as its file has it".to_owned(),
    };
    Some(format!(
        "**Changed by:** {changed}. {whose}; its predictions, margins and reading were written without \
         these changes."
    ))
}

/// One sentence for the terminal; `None` for an unchanged experiment.
pub(super) fn sentence(summary: &Summary) -> Option<String> {
    let changed = changed_by(&summary.changes, &summary.seeds)?;
    Some(format!("changed by: {changed}"))
}

/// How to train the cells and to rebuild the report, and what the folder holds.
pub(super) fn made(summary: &Summary) -> String {
    let (name, changes) = (&summary.name, &summary.changes);
    let train = changes.command(name, &summary.seeds);
    let rebuild = changes.command_on_results("report", name);
    format!(
        "`{train}` trains missing cells and writes this folder. `{rebuild}` rebuilds this page and the \
         figures without training. [{RESOLVED_FILE}]({RESOLVED_FILE}) is the experiment as it ran, in one \
         file that `ablate run` accepts. [runs.jsonl](runs.jsonl) has every raw number of every epoch, \
         [summary.json](summary.json) the numbers above without rounding, and \
         [provenance.json](provenance.json) the machine and the revision."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{fixture, summarize};

    fn summary(change: impl FnOnce(&mut Changes)) -> Summary {
        let mut spec = fixture::spec(2, 6, 1);
        change(&mut spec.changes);
        summarize(&spec, &fixture::records(&spec)).unwrap()
    }

    #[test]
    fn changed_experiment_opens_with_its_changes() {
        let summary = summary(|changes| {
            changes.variant_of = Some("demo".to_owned());
            changes.set = vec!["train.epochs=1".to_owned()];
            changes.seeds_in_file = Some((0..10).collect());
            changes.device = Some("ndarray".to_owned());
        });
        let text = opening(&summary).unwrap();
        assert!(
            text.starts_with(
                "**Changed by:** `train.epochs=1`, 6 seeds instead of 10, the device `ndarray`. This is a \
                 variant of `demo`"
            ),
            "{text}"
        );
        let made = made(&summary);
        assert!(
            made.contains(
                "`ablate run demo --set train.epochs=1 --seeds 6 --device ndarray` trains"
            ),
            "{made}"
        );
    }

    #[test]
    fn unchanged_experiment_has_no_opening() {
        let summary = summary(|_| {});
        assert_eq!((opening(&summary), sentence(&summary)), (None, None));
        assert!(made(&summary).starts_with("`ablate run demo` trains"));
    }

    #[test]
    fn other_seeds_of_the_same_number_are_listed() {
        let changes = Changes {
            seeds_in_file: Some(vec![0, 1]),
            ..Changes::default()
        };
        let text = changed_by(&changes, &[5, 6]).unwrap();
        assert_eq!(text, "the seeds [5, 6] instead of [0, 1]");
    }
}
