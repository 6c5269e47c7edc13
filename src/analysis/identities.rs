//! Whether each identity of a spec holds as stated.

use super::ArmSummary;
use crate::spec::{Identity, Spec};
use serde::{Deserialize, Serialize};

/// Results of one identity in all arms that it names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentitySummary {
    /// The identity.
    pub identity: Identity,
    /// One entry per arm: first the arms in which it must hold, then those in which it must fail.
    pub arms: Vec<IdentityInArm>,
    /// Whether it holds or fails as stated in every arm.
    pub as_stated: bool,
}

/// Result of one identity in one arm, over all seeds and all parts of the value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityInArm {
    /// The arm.
    pub arm: String,
    /// The stated outcome.
    pub expected: Outcome,
    /// The measured outcome.
    pub found: Outcome,
    /// Smallest value; absent if nothing was measured.
    pub smallest: Option<f64>,
    /// Largest value; absent if nothing was measured.
    pub largest: Option<f64>,
    /// Number of seeds with a value for every part.
    pub seeds: usize,
    /// Parts of the value, such as devices; empty for a value without parts.
    pub parts: Vec<String>,
}

/// Outcome of an identity in an arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every value is at most the bound.
    Holds,
    /// Every value is above the bound.
    Fails,
    /// Some values are above the bound and some are not.
    Mixed,
    /// At least one seed has no value.
    NotMeasured,
}

/// Evaluates all identities of `spec` on the probe values of `arms`.
pub(super) fn evaluate(spec: &Spec, arms: &[ArmSummary]) -> Vec<IdentitySummary> {
    let one = |identity: &Identity| {
        let row = |name: &String, expected| {
            let arm = arms.iter().find(|arm| arm.name == *name)?;
            Some(in_arm(identity, arm, expected))
        };
        let holds = identity.holds.iter().map(|a| row(a, Outcome::Holds));
        let fails = identity.fails.iter().map(|a| row(a, Outcome::Fails));
        let arms: Vec<IdentityInArm> = holds.chain(fails).flatten().collect();
        IdentitySummary {
            as_stated: arms.iter().all(|arm| arm.found == arm.expected),
            identity: identity.clone(),
            arms,
        }
    };
    spec.identities.iter().map(one).collect()
}

fn in_arm(identity: &Identity, arm: &ArmSummary, expected: Outcome) -> IdentityInArm {
    let name = identity.value.as_str();
    let part = |key: &str| match key.strip_prefix(name)? {
        "" => Some(String::new()),
        rest => Some(rest.strip_prefix('.')?.to_owned()),
    };
    let found = arm.probes.iter();
    let values: Vec<_> = found.filter_map(|(key, v)| Some((part(key)?, v))).collect();
    let seeds = values.iter().map(|(_, v)| v.n).min().unwrap_or(0);
    let smallest = values.iter().map(|(_, v)| v.min).reduce(f64::min);
    let largest = values.iter().map(|(_, v)| v.max).reduce(f64::max);
    let outcome = match (smallest, largest) {
        _ if seeds == 0 || seeds < arm.n => Outcome::NotMeasured,
        (_, Some(largest)) if largest <= identity.bound => Outcome::Holds,
        (Some(smallest), _) if smallest > identity.bound => Outcome::Fails,
        _ => Outcome::Mixed,
    };
    IdentityInArm {
        arm: arm.name.clone(),
        expected,
        found: outcome,
        smallest,
        largest,
        seeds,
        parts: values
            .into_iter()
            .map(|(part, _)| part)
            .filter(|p| !p.is_empty())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{Spread, fixture, summarize};

    fn spread(n: usize, min: f64, max: f64) -> Spread {
        Spread {
            n,
            mean: f64::midpoint(min, max),
            sd: None,
            min,
            max,
        }
    }

    fn identity(holds: &[&str], fails: &[&str]) -> Identity {
        let owned = |list: &[&str]| list.iter().map(|&s| s.to_owned()).collect();
        Identity {
            number: 1,
            statement: "S".to_owned(),
            value: "off".to_owned(),
            bound: 1e-9,
            holds: owned(holds),
            fails: owned(fails),
            note: "N".to_owned(),
        }
    }

    fn evaluated(
        holds: &[&str],
        fails: &[&str],
        values: [&[(&str, Spread)]; 2],
    ) -> IdentitySummary {
        let mut spec = fixture::spec(2, 3, 1);
        spec.identities = vec![identity(holds, fails)];
        let mut arms = summarize(&spec, &fixture::records(&spec)).unwrap().arms;
        for (arm, values) in arms.iter_mut().zip(values) {
            arm.probes = values
                .iter()
                .map(|(name, s)| ((*name).to_owned(), *s))
                .collect();
        }
        evaluate(&spec, &arms).remove(0)
    }

    #[test]
    fn identity_is_as_stated_if_it_holds_and_fails_as_listed() {
        let small = [
            ("off.flex", spread(3, 0.0, 1e-15)),
            ("off.ndarray", spread(3, 1e-16, 1e-9)),
        ];
        let large = [
            ("off.flex", spread(3, 1e-3, 0.5)),
            ("off.ndarray", spread(3, 2e-9, 0.5)),
        ];
        let found = evaluated(&["a"], &["b"], [&small, &large]);
        assert!(found.as_stated);
        let [a, b] = &found.arms[..] else {
            panic!("{found:?}");
        };
        assert_eq!((a.found, b.found), (Outcome::Holds, Outcome::Fails));
        assert_eq!((a.smallest, a.largest), (Some(0.0), Some(1e-9)));
        assert_eq!(a.parts, ["flex", "ndarray"]);
        let swapped = evaluated(&["b"], &["a"], [&small, &large]);
        assert!(!swapped.as_stated);
    }

    #[test]
    fn one_value_above_the_bound_is_mixed() {
        let both = [
            ("off.flex", spread(3, 0.0, 0.0)),
            ("off.ndarray", spread(3, 0.0, 1e-8)),
        ];
        let found = evaluated(&["a"], &[], [&both, &[]]);
        assert_eq!(found.arms[0].found, Outcome::Mixed);
        assert!(!found.as_stated);
    }

    #[test]
    fn missing_or_other_values_are_not_measured() {
        let fewer = [
            ("off", spread(2, 0.0, 0.0)),
            ("offset.flex", spread(3, 1.0, 1.0)),
        ];
        let found = evaluated(&["a"], &["b"], [&fewer, &[]]);
        let outcomes: Vec<Outcome> = found.arms.iter().map(|arm| arm.found).collect();
        assert_eq!(outcomes, [Outcome::NotMeasured; 2]);
        assert_eq!(
            (found.arms[0].largest, found.arms[1].largest),
            (Some(0.0), None)
        );
    }
}
