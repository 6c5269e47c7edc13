//! Performance targets of a GPU.

use crate::compare::analysis::target::{
    MAX_STEP_GROWTH, MIN_SPEEDUP, TARGET_REPLICAS, Target, TargetResult, TargetStatus,
};
use crate::compare::report::speed::times;
use crate::compare::results::DeviceComparison;
use crate::device::DeviceKind;
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{NO_VALUE, Table};

pub(super) fn section(comparison: &DeviceComparison) -> Vec<String> {
    let text = format!(
        "Targets for a GPU at {TARGET_REPLICAS} nets, set before any was measured: {} as the fastest \
         CPU here, for convolutional nets, and {}. *Met* and *not met* hold for the whole interval. \
         *Not measured*: there are no times; `--longest-step SECONDS` allows longer steps on a CPU. \
         Software adapters and adapters of unknown kind are not judged.",
        of(Target::Speedup),
        of(Target::StepGrowth),
    );
    vec!["## Targets".to_owned(), text, table(comparison)]
}

/// Description of the target.
fn of(target: Target) -> String {
    match target {
        Target::Speedup => format!("at least {MIN_SPEEDUP} times as fast"),
        Target::StepGrowth => {
            format!("a step under {MAX_STEP_GROWTH} times as long as for one net")
        }
    }
}

/// One row per target, arm and device; one row for a target that applies to nothing here.
pub(super) fn table(comparison: &DeviceComparison) -> String {
    let columns = ["target", "arm", "device"].map(|name| (name, Left));
    let mut table = Table::new(
        columns
            .into_iter()
            .chain([("times", Right), ("verdict", Left)]),
    );
    for target in Target::ALL {
        let judged = target.judge(comparison);
        if judged.is_empty() {
            let none = NO_VALUE.to_owned();
            let verdict = format!("not measured: {}", missing(comparison));
            table.row([of(target), none.clone(), none.clone(), none, verdict]);
        }
        for judged in judged {
            let measured = judged.measured.map(times);
            table.row([
                of(target),
                judged.arm.label.clone(),
                judged.device.code(),
                measured.unwrap_or_else(|| NO_VALUE.to_owned()),
                verdict(&judged),
            ]);
        }
    }
    table.render()
}

fn verdict(judged: &TargetResult<'_>) -> String {
    match judged.status {
        TargetStatus::Met => "**met**".to_owned(),
        TargetStatus::NotMet => "**not met**".to_owned(),
        TargetStatus::Undecided => "undecided".to_owned(),
        TargetStatus::NotMeasured => "not measured".to_owned(),
        TargetStatus::NotJudged => format!("not judged: {}", judged.device.kind.words()),
    }
}

/// Why a target applies to nothing here.
fn missing(comparison: &DeviceComparison) -> &'static str {
    let is_cpu = |kind| kind == DeviceKind::Cpu;
    match comparison.devices.iter().all(|device| is_cpu(device.kind)) {
        true => "no GPU was measured",
        false => "no arm is convolutional",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::analysis::fixture::comparison;

    fn cells(table: &str, words: &[&str]) -> Vec<String> {
        let found = table
            .lines()
            .find(|line| words.iter().all(|word| line.contains(word)));
        let line = found.unwrap_or_else(|| panic!("{words:?} in\n{table}"));
        let cells = line.trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().to_owned()).collect()
    }

    #[test]
    fn every_target_has_a_verdict_per_arm() {
        let mut comparison = comparison();
        comparison.arms[1].multiply_adds = 5000;
        let text = table(&comparison);
        assert_eq!(text.lines().count(), 2 + 1 + 2, "{text}");
        let row = cells(&text, &["at least 10 times", "dropout label", "`wgpu`"]);
        assert!(row[3].starts_with("3.20 ("), "{row:?}");
        assert_eq!(row[4], "**not met**");
        comparison.arms[1]
            .speed
            .retain(|timed| timed.size.replicas == 1);
        let row = table(&comparison);
        let row = cells(&row, &["under 4 times", "dropout label"]);
        assert_eq!(row[3..], [NO_VALUE, "not measured"]);
    }

    #[test]
    fn inapplicable_target_says_why() {
        let mut comparison = comparison();
        let row = cells(&table(&comparison), &["at least 10 times"]);
        assert_eq!(row[4], "not measured: no arm is convolutional");
        comparison.devices[1].kind = DeviceKind::SoftwareAdapter;
        let row = cells(&table(&comparison), &["under 4 times", "plain label"]);
        assert!(
            row[4].starts_with("not judged: software adapter"),
            "{row:?}"
        );
        comparison.devices.truncate(1);
        let row = cells(&table(&comparison), &["under 4 times"]);
        assert_eq!(row[4], "not measured: no GPU was measured");
    }
}
