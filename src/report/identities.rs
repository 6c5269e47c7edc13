//! Tables of identities: the arms in which each must hold or fail, and whether it does.

use crate::analysis::{IdentityInArm, IdentityOutcome, IdentitySummary, Summary};
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{Table, one_line};
use crate::text::number::compact;

/// The section of a report; empty without identities.
pub(super) fn section(summary: &Summary) -> Vec<String> {
    if summary.identities.is_empty() {
        return Vec::new();
    }
    let all: Vec<_> = summary.identities.iter().map(|i| (summary, i)).collect();
    vec![
        "## Identities".to_owned(),
        READING.to_owned(),
        table(&all, |_| None),
        notes(&all),
    ]
}

pub(super) const READING: &str = include_str!("templates/identities.md").trim_ascii_end();

/// The number of confirmed identities, and the arms that differ from the others.
pub(super) fn answer(all: &[IdentitySummary]) -> String {
    let (confirmed, other): (Vec<_>, Vec<_>) = all.iter().partition(|found| found.as_stated);
    let count = all.len();
    if other.is_empty() {
        return format!("**Answer: all {count} identities are confirmed.**");
    }
    let other = other.iter().map(|found| {
        let statement = one_line(&found.identity.statement);
        let number = found.identity.number;
        format!("Identity {number} ({statement}): {}.", deviations(found))
    });
    format!(
        "**Answer: {} of {count} identities are confirmed.** The others:\n\n{}",
        confirmed.len(),
        crate::text::markdown::list(other)
    )
}

/// One row per identity. `link` formats the experiment that measured it; `None` leaves the column out.
pub(super) fn table(
    all: &[(&Summary, &IdentitySummary)],
    link: impl Fn(&Summary) -> Option<String>,
) -> String {
    let linked = all.iter().any(|(summary, _)| link(summary).is_some());
    let mut columns = vec![
        ("identity", Left),
        ("statement", Left),
        ("bound", Right),
        ("must hold in", Left),
        ("largest error", Right),
        ("must fail in", Left),
        ("smallest error", Right),
        ("confirmed", Left),
    ];
    if linked {
        columns.insert(2, ("measured in", Left));
    }
    let mut table = Table::new(columns);
    for (summary, found) in all {
        let [holds, fails] =
            [IdentityOutcome::Holds, IdentityOutcome::Fails].map(|e| expected(found, e));
        let largest = holds.iter().filter_map(|arm| arm.largest);
        let smallest = fails.iter().filter_map(|arm| arm.smallest);
        let mut row = vec![
            found.identity.number.to_string(),
            one_line(&found.identity.statement),
            compact(found.identity.bound),
            names(&holds),
            largest.reduce(f64::max).map_or(String::new(), compact),
            names(&fails),
            smallest.reduce(f64::min).map_or(String::new(), compact),
            outcome(found),
        ];
        if linked {
            row.insert(2, link(summary).unwrap_or_default());
        }
        table.row(row);
    }
    table.render()
}

fn expected(found: &IdentitySummary, outcome: IdentityOutcome) -> Vec<&IdentityInArm> {
    let arms = found.arms.iter();
    arms.filter(|arm| arm.expected == outcome).collect()
}

fn names(arms: &[&IdentityInArm]) -> String {
    let names: Vec<String> = arms.iter().map(|arm| format!("`{}`", arm.arm)).collect();
    names.join(", ")
}

/// Whether it is confirmed, and if not, the arms that differ.
fn outcome(found: &IdentitySummary) -> String {
    match found.as_stated {
        true => "yes".to_owned(),
        false => format!("**no**: {}", deviations(found)),
    }
}

/// The arms in which an identity does not do what it must, and what it does there.
fn deviations(found: &IdentitySummary) -> String {
    let other = found.arms.iter().filter(|arm| arm.found != arm.expected);
    let other: Vec<String> = other
        .map(|arm| {
            let word = match arm.found {
                IdentityOutcome::Holds => "it holds",
                IdentityOutcome::Fails => "it fails",
                IdentityOutcome::Mixed => "it holds for some values and fails for others",
                IdentityOutcome::NotMeasured => "some seeds have no value",
            };
            format!("in `{}` {word}", arm.arm)
        })
        .collect();
    other.join("; ")
}

/// The measure of each identity.
fn notes(all: &[(&Summary, &IdentitySummary)]) -> String {
    let lines = all.iter().map(|(_, found)| {
        let identity = &found.identity;
        let parts: Vec<&str> = (found.arms.iter())
            .map(|arm| arm.parts.iter().map(String::as_str).collect::<Vec<_>>())
            .max_by_key(Vec::len)
            .unwrap_or_default();
        let parts = match parts.is_empty() {
            true => String::new(),
            false => format!(" (on {})", parts.join(", ")),
        };
        format!("`{}`{parts}: {}.", identity.value, one_line(&identity.note))
    });
    crate::text::markdown::list(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{fixture, summarize};
    use crate::spec::Identity;

    fn in_arm(
        arm: &str,
        expected: IdentityOutcome,
        found: IdentityOutcome,
        range: [f64; 2],
    ) -> IdentityInArm {
        IdentityInArm {
            arm: arm.to_owned(),
            expected,
            found,
            smallest: Some(range[0]),
            largest: Some(range[1]),
            seeds: 3,
            parts: vec!["flex".to_owned()],
        }
    }

    fn found(as_stated: bool, arms: Vec<IdentityInArm>) -> IdentitySummary {
        IdentitySummary {
            identity: Identity {
                number: 3,
                statement: "The scale folds".to_owned(),
                value: "fold".to_owned(),
                bound: 1e-9,
                holds: vec!["a".to_owned()],
                fails: vec!["b".to_owned()],
                note: "Rounding".to_owned(),
            },
            arms,
            as_stated,
        }
    }

    #[test]
    fn report_names_arms_that_differ_from_an_identity() {
        use IdentityOutcome::{Fails, Holds, Mixed};
        let spec = fixture::spec(2, 3, 1);
        let mut summary = summarize(&spec, &fixture::records(&spec)).unwrap();
        assert!(section(&summary).is_empty());
        summary.identities = vec![
            found(
                true,
                vec![
                    in_arm("a", Holds, Holds, [0.0, 2e-16]),
                    in_arm("b", Fails, Fails, [0.25, 0.5]),
                ],
            ),
            found(false, vec![in_arm("b", Fails, Mixed, [1e-12, 0.5])]),
        ];
        let found = answer(&summary.identities);
        assert!(found.starts_with("**Answer: 1 of 2 identities"), "{found}");
        assert!(found.contains("in `b` it holds for some values"), "{found}");
        let text = section(&summary).join("\n");
        let rows: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("| 3"))
            .collect();
        let [good, bad] = rows[..] else {
            panic!("{text}");
        };
        for part in ["`a`", "2.0 × 10⁻¹⁶", "`b`", "0.25", "| yes"] {
            assert!(good.contains(part), "{part}: {good}");
        }
        assert!(
            bad.contains("**no**: in `b` it holds for some values and fails for others"),
            "{bad}"
        );
        assert!(text.contains("- `fold` (on flex): Rounding."), "{text}");
    }
}
