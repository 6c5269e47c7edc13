//! Distribution of the arms over panels, so that no panel has too many lines.
//!
//! The lines of a panel are the levels of one factor, and every combination of the other factors has a
//! panel. Arms without factors are drawn in every panel, for comparison. In a design without factors,
//! arms that a contrast compares share a panel.

use super::style::MOST_LINES;
use crate::analysis::{ArmSummary, Summary};
use crate::spec::{Contrast, ContrastKind, Factor, Spec};

/// Panels beyond this number are avoided by lines for two factors.
const MOST_PANELS: usize = 9;

/// Arms that share a panel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// The levels that its arms share, one per factor; empty for a single group.
    pub(super) levels: Vec<String>,
    /// The number of each line and its arm.
    pub(super) lines: Vec<(usize, usize)>,
}

impl Group {
    /// All levels in one text; empty for a single group.
    pub(super) fn name(&self) -> String {
        self.levels.join(", ")
    }
}

/// Panels, and the names of their lines.
pub(super) struct Arrangement {
    pub(super) labels: Vec<String>,
    pub(super) groups: Vec<Group>,
    /// Whether the lines are levels of factors, not whole arms.
    pub(super) by_level: bool,
}

impl Arrangement {
    pub(super) fn of(spec: &Spec, summary: &Summary) -> Self {
        if spec.arms.len() > MOST_LINES
            && let Some(crossed) = Self::of_factors(spec, summary)
        {
            return crossed;
        }
        let groups = match spec.arms.len() <= MOST_LINES {
            true => vec![(0..spec.arms.len()).collect()],
            false => by_contrasts(spec),
        };
        let group = |arms: Vec<usize>| Group {
            levels: Vec::new(),
            lines: arms.into_iter().map(|arm| (arm, arm)).collect(),
        };
        Self {
            labels: labels(&summary.arms),
            groups: groups.into_iter().map(group).collect(),
            by_level: false,
        }
    }

    /// The lines are the levels of the first factor that a contrast varies and that has few enough levels,
    /// or else of any factor. Where that gives many panels, they are the combinations of two factors.
    /// `None` without such a factor.
    fn of_factors(spec: &Spec, summary: &Summary) -> Option<Self> {
        let fits = |varied: &[usize]| {
            let crossed = Self::crossed(spec, summary, varied);
            let few = |group: &Group| group.lines.len() <= MOST_LINES;
            crossed.groups.iter().all(few).then_some(crossed)
        };
        let (first, one) = varied(spec).find_map(|f| Some((f, fits(&[f])?)))?;
        if one.groups.len() <= MOST_PANELS {
            return Some(one);
        }
        let others = (0..spec.factors.len()).filter(|f| *f != first);
        let two = others.filter_map(|other| fits(&[first, other]));
        Some(two.min_by_key(|two| two.groups.len()).unwrap_or(one))
    }

    fn crossed(spec: &Spec, summary: &Summary, varied: &[usize]) -> Self {
        let mut labels = line_labels(spec, varied);
        let mut groups: Vec<(Vec<usize>, Group)> = Vec::new();
        for (a, arm) in spec.arms.iter().enumerate() {
            if arm.levels.is_empty() {
                continue;
            }
            let line = varied.iter().fold(0, |line, &f| {
                line * spec.factors[f].levels.len() + arm.levels[f]
            });
            let mut rest = arm.levels.clone();
            varied.iter().for_each(|&f| rest[f] = 0);
            match groups.iter_mut().find(|(levels, _)| *levels == rest) {
                Some((_, group)) => group.lines.push((line, a)),
                None => groups.push((
                    rest,
                    Group {
                        levels: others(spec, &arm.levels, varied),
                        lines: vec![(line, a)],
                    },
                )),
            }
        }
        let mut groups: Vec<Group> = groups.into_iter().map(|(_, group)| group).collect();
        for (a, arm) in spec.arms.iter().enumerate() {
            if arm.levels.is_empty() {
                add_extra(&mut labels, &mut groups, a, &summary.arms[a].label);
            }
        }
        Self {
            labels,
            groups,
            by_level: true,
        }
    }
}

/// Adds an arm without factors: to the panel whose levels end its label, such as `Gaussian noise, 1 layer,
/// SGD` to the panel `1 layer, SGD`, or else to every panel.
fn add_extra(labels: &mut Vec<String>, groups: &mut [Group], arm: usize, label: &str) {
    let start = |group: &Group| {
        let rest = label.strip_suffix(&group.name())?;
        rest.strip_suffix(", ").map(str::to_owned)
    };
    let own = groups.iter().position(|group| start(group).is_some());
    let name = own.and_then(|own| start(&groups[own]));
    let name = name.unwrap_or_else(|| label.to_owned());
    let known = labels.iter().position(|other| *other == name);
    let line = known.unwrap_or_else(|| {
        labels.push(name);
        labels.len() - 1
    });
    for (k, group) in groups.iter_mut().enumerate() {
        if own.is_none_or(|own| own == k) {
            group.lines.push((line, arm));
        }
    }
}

/// The levels of the varied factors, or their combinations.
fn line_labels(spec: &Spec, varied: &[usize]) -> Vec<String> {
    let mut labels = vec![String::new()];
    for &f in varied {
        let factor = &spec.factors[f];
        let with = |start: &String| {
            let levels = 0..factor.levels.len();
            let names = levels.map(|level| line_name(factor, level));
            let join = |name: String| match start.is_empty() {
                true => name,
                false => format!("{start}, {name}"),
            };
            names.map(join).collect::<Vec<_>>()
        };
        labels = labels.iter().flat_map(with).collect();
    }
    labels
}

/// The label of a level; that of its factor precedes it where it has no words of its own.
pub(super) fn line_name(factor: &Factor, level: usize) -> String {
    let unlabelled = factor.levels.iter().all(|level| level.label == level.name);
    let label = &factor.levels[level].label;
    match unlabelled && !label.contains(&factor.label) {
        true => format!("{}: {label}", factor.label),
        false => label.clone(),
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

/// The factors whose levels may be the lines: first those that a contrast varies.
fn varied(spec: &Spec) -> impl Iterator<Item = usize> {
    let several = |f: &usize| spec.factors[*f].levels.len() > 1;
    let index = |name: &str| spec.factors.iter().position(|f| f.name == name);
    let planned = spec
        .contrasts
        .iter()
        .filter_map(move |c| match &c.comparison {
            ContrastKind::Effect { factor, .. } => index(factor),
            ContrastKind::Arms { .. } | ContrastKind::Sum => None,
        });
    planned.chain(0..spec.factors.len()).filter(several)
}

/// The labels of the levels of all factors except `varied`.
fn others(spec: &Spec, levels: &[usize], varied: &[usize]) -> Vec<String> {
    let factors = spec.factors.iter().zip(levels).enumerate();
    let names = factors.filter(|(f, _)| !varied.contains(f));
    names
        .map(|(_, (factor, level))| level_name(factor, *level))
        .collect()
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
        assert_eq!(groups[0].name(), "");
    }

    #[test]
    fn crossed_arms_have_a_panel_per_combination() {
        let groups = groups(&crossed(2, 1));
        let names: Vec<String> = groups.iter().map(Group::name).collect();
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
    fn extra_arm_is_in_the_panel_that_its_label_names() {
        let mut spec = crossed(2, 1);
        for rest in ["relu label, 8 label", "tanh label, 32 label"] {
            let mut extra = spec.arms[0].clone();
            (extra.name, extra.levels) = (rest.replace(' ', "-"), Vec::new());
            extra.label = format!("control, {rest}");
            spec.arms.push(extra);
        }
        let summary = summarize(&spec, &records(&spec)).unwrap();
        let found = Arrangement::of(&spec, &summary);
        assert_eq!(found.labels, ["none label", "batch label", "control"]);
        let lines: Vec<usize> = found.groups.iter().map(|g| g.lines.len()).collect();
        assert_eq!(lines, [3, 2, 2, 3]);
    }

    #[test]
    fn many_panels_get_lines_for_two_factors() {
        let mut spec = crossed(2, 1);
        let level = spec.factors[2].levels[0].clone();
        spec.factors[2].levels = (0..5)
            .map(|k| crate::spec::Level {
                name: k.to_string(),
                label: format!("width {k}"),
                ..level.clone()
            })
            .collect();
        let arm = spec.arms[0].clone();
        spec.contrasts.clear();
        spec.arms = (0..20)
            .map(|k| crate::spec::Arm {
                name: k.to_string(),
                levels: vec![k / 10, k / 5 % 2, k % 5],
                ..arm.clone()
            })
            .collect();
        let groups = groups(&spec);
        assert_eq!(groups.len(), 5);
        assert!(groups.iter().all(|group| group.lines.len() == 4));
        assert_eq!(groups[1].name(), "width 1");
    }

    #[test]
    fn levels_without_words_are_preceded_by_their_factor() {
        let mut factor = crossed(1, 1).factors.remove(0);
        assert_eq!(line_name(&factor, 0), "none label");
        factor
            .levels
            .iter_mut()
            .for_each(|l| l.label.clone_from(&l.name));
        assert_eq!(line_name(&factor, 0), "norm factor: none");
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
