//! Distribution of the arms over panels, so that no panel has too many lines.
//!
//! The lines of a panel are the levels of one factor, and every combination of the other factors has a
//! panel. Arms without factors are drawn in every panel, for comparison. In a design without factors,
//! arms that a contrast compares share a panel.

use super::style::MOST_LINES;
use crate::analysis::{ArmSummary, Summary};
use crate::spec::{Contrast, ContrastKind, Factor, Spec};

/// Arms that share a panel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// The levels that its arms share; empty for a single group.
    pub(super) name: String,
    /// The number of each line and its arm.
    pub(super) lines: Vec<(usize, usize)>,
}

/// Panels, and the names of their lines.
pub(super) struct Arrangement {
    pub(super) labels: Vec<String>,
    pub(super) groups: Vec<Group>,
    /// The factor whose levels are the lines.
    pub(super) varied: Option<usize>,
}

impl Arrangement {
    pub(super) fn of(spec: &Spec, summary: &Summary) -> Self {
        if spec.arms.len() > MOST_LINES
            && let Some(varied) = varied(spec)
        {
            return Self::crossed(spec, summary, varied);
        }
        let groups = match spec.arms.len() <= MOST_LINES {
            true => vec![(0..spec.arms.len()).collect()],
            false => by_contrasts(spec),
        };
        let group = |arms: Vec<usize>| Group {
            name: String::new(),
            lines: arms.into_iter().map(|arm| (arm, arm)).collect(),
        };
        Self {
            labels: labels(&summary.arms),
            groups: groups.into_iter().map(group).collect(),
            varied: None,
        }
    }

    fn crossed(spec: &Spec, summary: &Summary, varied: usize) -> Self {
        let levels = &spec.factors[varied].levels;
        let mut names: Vec<String> = levels.iter().map(|level| level.label.clone()).collect();
        let mut groups: Vec<(Vec<usize>, Group)> = Vec::new();
        for (a, arm) in spec.arms.iter().enumerate() {
            let Some(&level) = arm.levels.get(varied) else {
                continue;
            };
            let mut rest = arm.levels.clone();
            rest[varied] = 0;
            match groups.iter_mut().find(|(levels, _)| *levels == rest) {
                Some((_, group)) => group.lines.push((level, a)),
                None => groups.push((
                    rest,
                    Group {
                        name: others(spec, &arm.levels, varied),
                        lines: vec![(level, a)],
                    },
                )),
            }
        }
        for (a, arm) in spec.arms.iter().enumerate() {
            if arm.levels.is_empty() {
                for (_, group) in &mut groups {
                    group.lines.push((names.len(), a));
                }
                names.push(summary.arms[a].label.clone());
            }
        }
        Self {
            labels: names,
            groups: groups.into_iter().map(|(_, group)| group).collect(),
            varied: Some(varied),
        }
    }
}

/// The names of arms, with the number of seeds where some did not finish.
pub(super) fn labels(arms: &[ArmSummary]) -> Vec<String> {
    let most = arms.iter().map(|arm| arm.n).max().unwrap_or(0);
    let label = |arm: &ArmSummary| match arm.n {
        0 => format!("{} (no seed finished)", arm.label),
        n if n < most => format!("{} (n = {n})", arm.label),
        _ => arm.label.clone(),
    };
    arms.iter().map(label).collect()
}

/// The factor whose levels are the lines: the first that a contrast varies, or else the first one with
/// few enough levels. `None` without such a factor.
fn varied(spec: &Spec) -> Option<usize> {
    let extra = spec.arms.iter().filter(|arm| arm.levels.is_empty()).count();
    let fits = |f: &usize| {
        let levels = spec.factors[*f].levels.len();
        levels > 1 && levels + extra <= MOST_LINES
    };
    let index = |name: &str| spec.factors.iter().position(|f| f.name == name);
    let planned = spec.contrasts.iter().filter_map(|c| match &c.comparison {
        ContrastKind::Effect { factor, .. } => index(factor),
        ContrastKind::Arms { .. } | ContrastKind::Sum => None,
    });
    planned.chain(0..spec.factors.len()).find(fits)
}

/// The labels of the levels of all factors except `varied`.
fn others(spec: &Spec, levels: &[usize], varied: usize) -> String {
    let factors = spec.factors.iter().zip(levels).enumerate();
    let names = factors.filter(|(f, _)| *f != varied);
    let names: Vec<String> = names
        .map(|(_, (factor, level))| level_name(factor, *level))
        .collect();
    names.join(", ")
}

/// The label of a level; a bare number is preceded by its factor.
pub(super) fn level_name(factor: &Factor, level: usize) -> String {
    let label = &factor.levels[level].label;
    match label.parse::<f64>() {
        Ok(_) => format!("{} {label}", factor.label),
        Err(_) => label.clone(),
    }
}

/// Arms in as few panels of similar size as possible. Arms that a contrast compares stay together
/// unless they are too many for a panel.
fn by_contrasts(spec: &Spec) -> Vec<Vec<usize>> {
    let mut sets: Vec<Vec<usize>> = (0..spec.arms.len()).map(|arm| vec![arm]).collect();
    for contrast in &spec.contrasts {
        let compared = compared(spec, contrast);
        let (touched, mut rest): (Vec<_>, Vec<_>) = sets
            .into_iter()
            .partition(|set| set.iter().any(|arm| compared.contains(arm)));
        let mut joined: Vec<usize> = touched.into_iter().flatten().collect();
        joined.sort_unstable();
        rest.extend((!joined.is_empty()).then_some(joined));
        sets = rest;
    }
    sets.sort_unstable();
    let size = spec
        .arms
        .len()
        .div_ceil(spec.arms.len().div_ceil(MOST_LINES));
    let mut panels: Vec<Vec<usize>> = Vec::new();
    for part in sets.iter().flat_map(|set| set.chunks(MOST_LINES)) {
        match panels.last_mut() {
            Some(panel) if panel.len() + part.len() <= size => panel.extend(part),
            _ => panels.push(part.to_vec()),
        }
    }
    panels
}

fn compared(spec: &Spec, contrast: &Contrast) -> Vec<usize> {
    let arms = contrast.weights.iter().map(|term| &term.arm);
    arms.filter_map(|name| spec.arms.iter().position(|arm| arm.name == *name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::fixture::{crossed, records, spec};
    use crate::analysis::summarize;

    fn groups(spec: &Spec) -> Vec<Group> {
        let summary = summarize(spec, &records(spec)).unwrap();
        Arrangement::of(spec, &summary).groups
    }

    #[test]
    fn few_arms_share_one_panel() {
        let spec = spec(7, 2, 1);
        let groups = groups(&spec);
        assert_eq!((groups.len(), groups[0].lines.len()), (1, 7));
        assert_eq!(groups[0].name, "");
    }

    #[test]
    fn crossed_arms_have_a_panel_per_combination() {
        let groups = groups(&crossed(2, 1));
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names[0], "relu label, 8 label");
        assert_eq!(names.len(), 4);
        assert!(groups.iter().all(|group| group.lines.len() == 2));
    }

    #[test]
    fn arm_without_factors_is_in_every_panel() {
        let mut spec = crossed(2, 1);
        let mut extra = spec.arms[0].clone();
        (extra.name, extra.levels) = ("extra".to_owned(), Vec::new());
        spec.arms.push(extra);
        for group in groups(&spec) {
            assert_eq!(group.lines.last(), Some(&(2, 8)));
        }
    }

    #[test]
    fn compared_arms_share_a_panel() {
        let mut spec = spec(8, 2, 1);
        let contrast = spec.contrasts[0].clone();
        let name = |k: usize| spec.arms[k].name.clone();
        spec.contrasts = [(0, 7), (1, 6), (2, 5)]
            .map(|(a, b)| Contrast {
                name: format!("{a}-{b}"),
                comparison: ContrastKind::arms(&name(a), &name(b)),
                weights: [(a, 1.0), (b, -1.0)]
                    .map(|(arm, weight)| crate::spec::Weight {
                        arm: name(arm),
                        weight,
                    })
                    .to_vec(),
                ..contrast.clone()
            })
            .to_vec();
        let arms = by_contrasts(&spec);
        assert_eq!(arms, [vec![0, 7, 1, 6], vec![2, 5, 3, 4]]);
    }
}
