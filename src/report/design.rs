//! What a reader must know about a design: how to read it, when it was fixed, and which trainings it
//! shares with other experiments.

use crate::analysis::Summary;
use crate::spec::Designed;
use crate::text::markdown::one_line;

/// The reading of each outcome. It is said to be written before the run only if the spec says so.
pub(super) fn reading(summary: &Summary) -> String {
    let when = match summary.designed {
        Some(Designed::Before) => " (written before the run)",
        Some(Designed::AfterTrial) | None => "",
    };
    format!(
        "**How to read it**{when}: {}",
        one_line(summary.reading.trim())
    )
}

/// What was changed after results were known; `None` for other designs.
pub(super) fn after_trial(summary: &Summary) -> Option<String> {
    let reason = summary.designed_reason.as_ref()?;
    (summary.designed == Some(Designed::AfterTrial))
        .then(|| format!("**Designed after a trial.** {}", one_line(reason)))
}

/// The cells in common with other experiments; `None` without any.
pub(super) fn shared(summary: &Summary) -> Option<String> {
    let others: Vec<String> = (summary.shared.iter())
        .map(|shared| format!("{} are also those of `{}`", shared.cells, shared.experiment))
        .collect();
    (!others.is_empty()).then(|| {
        format!(
            "Of its cells, {}. Experiments with the same cells are not independent evidence.",
            others.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{SharedCells, fixture, summarize};

    fn summary() -> Summary {
        let spec = fixture::spec(2, 6, 1);
        summarize(&spec, &fixture::records(&spec)).unwrap()
    }

    #[test]
    fn only_designs_before_the_run_say_so() {
        let mut summary = summary();
        assert!(reading(&summary).starts_with("**How to read it**: Equivalent"));
        summary.designed = Some(Designed::Before);
        assert!(reading(&summary).starts_with("**How to read it** (written before the run): Eq"));
        assert_eq!(after_trial(&summary), None);
        summary.designed = Some(Designed::AfterTrial);
        summary.designed_reason = Some("Rates were added.".to_owned());
        assert!(!reading(&summary).contains("before the run"));
        let said = after_trial(&summary).unwrap();
        assert_eq!(said, "**Designed after a trial.** Rates were added.");
    }

    #[test]
    fn shared_cells_are_listed_by_experiment() {
        let mut summary = summary();
        assert_eq!(shared(&summary), None);
        summary.shared = vec![SharedCells {
            experiment: "dropout-when".to_owned(),
            cells: 12,
        }];
        let said = shared(&summary).unwrap();
        assert!(
            said.starts_with("Of its cells, 12 are also those of `dropout-when`. "),
            "{said}"
        );
    }
}
