//! The subject of a contrast or an effect, in words.

use super::Summary;
use crate::spec::{Between, ContrastKind, Factor, Held, Weight};
use crate::text::markdown::one_line;
use crate::text::number::fixed;

/// Treatment against control by their labels: `norm before ReLU against norm after ReLU`.
pub fn subject(summary: &Summary, comparison: &ContrastKind, weights: &[Weight]) -> String {
    match comparison {
        ContrastKind::Arms { treatment, control } => {
            let label = |name: &str| arm_label(summary, name);
            format!("{} against {}", label(treatment), label(control))
        }
        ContrastKind::Sum => weighted_sum(weights, |name| arm_label(summary, name)),
        ContrastKind::Effect {
            factor,
            treatment,
            control,
            at,
            between,
        } => {
            let words = Words(&summary.factors);
            let name = words.factor(factor);
            let levels = [treatment, control].map(|level| words.level(factor, level));
            let mut text = levels.join(" against ");
            // In `dropout rate 0.5 against dropout rate 0`, the levels name the factor.
            if !levels.iter().any(|level| level.contains(&name)) {
                text = format!("{name}: {text}");
            }
            if !between.is_empty() {
                text = format!("{text}, {}", words.between(between));
            }
            format!("{text}{}", words.held(factor, at, between))
        }
    }
}

/// [`subject`] with treatment and control exchanged.
pub fn reversed_subject(
    summary: &Summary,
    comparison: &ContrastKind,
    weights: &[Weight],
) -> String {
    let mut reversed = comparison.clone();
    match &mut reversed {
        ContrastKind::Arms { treatment, control }
        | ContrastKind::Effect {
            treatment, control, ..
        } => std::mem::swap(treatment, control),
        ContrastKind::Sum => {}
    }
    let mut weights = weights.to_vec();
    for term in &mut weights {
        term.weight = -term.weight;
    }
    subject(summary, &reversed, &weights)
}

/// The label of the treatment; `None` for a sum of arms.
pub fn treatment(summary: &Summary, comparison: &ContrastKind) -> Option<String> {
    match comparison {
        ContrastKind::Arms { treatment, .. } => Some(arm_label(summary, treatment)),
        ContrastKind::Effect {
            factor, treatment, ..
        } => Some(Words(&summary.factors).named_level(factor, treatment)),
        ContrastKind::Sum => None,
    }
}

/// The label of the control; `None` for a sum of arms.
pub fn control(summary: &Summary, comparison: &ContrastKind) -> Option<String> {
    match comparison {
        ContrastKind::Arms { control, .. } => Some(arm_label(summary, control)),
        ContrastKind::Effect {
            factor, control, ..
        } => Some(Words(&summary.factors).level(factor, control)),
        ContrastKind::Sum => None,
    }
}

/// The two ends of an axis of improvements: the meaning of values below and above 0.
pub fn ends(summary: &Summary, comparison: &ContrastKind, weights: &[Weight]) -> [String; 2] {
    let words = Words(&summary.factors);
    match comparison {
        ContrastKind::Arms { treatment, control } => {
            [control, treatment].map(|arm| format!("{} better", arm_label(summary, arm)))
        }
        ContrastKind::Effect {
            factor,
            treatment,
            control,
            between,
            ..
        } => match &between[..] {
            [] => [control, treatment].map(|l| format!("{} better", words.clear_level(factor, l))),
            [pair] => {
                let gains = words.clear_level(factor, treatment);
                [&pair.second, &pair.first]
                    .map(|l| format!("{gains} gains more with {}", words.level(&pair.factor, l)))
            }
            _ => ["smaller", "larger"].map(|size| format!("{size} interaction")),
        },
        ContrastKind::Sum if means(weights).is_some() => {
            ["second", "first"].map(|side| format!("{side} of the two better"))
        }
        ContrastKind::Sum => {
            ["negative", "positive"].map(|sign| format!("arms with {sign} weights better"))
        }
    }
}

fn arm_label(summary: &Summary, name: &str) -> String {
    let arm = summary.arm(name);
    one_line(arm.map_or(name, |arm| arm.label.as_str()))
}

/// Most arms of a mean that are named one by one.
const MOST_NAMED_ARMS: usize = 3;

/// `mean of b and c minus a`, or else `a − 0.25 × b − 0.75 × c`.
fn weighted_sum(weights: &[Weight], name: impl Fn(&str) -> String) -> String {
    if let Some(sides) = means(weights) {
        let [first, second] = sides.map(|arms| mean_of(&arms, &name));
        return format!("{first} minus {second}");
    }
    let mut text = String::new();
    for (k, term) in weights.iter().enumerate() {
        let size = fixed(term.weight.abs(), 3);
        let size = match size.contains('.') {
            true => size.trim_end_matches('0').trim_end_matches('.'),
            false => &size,
        };
        let sign = match (k, term.weight < 0.0) {
            (0, false) => "",
            (0, true) => "\u{2212}",
            (_, false) => " + ",
            (_, true) => " \u{2212} ",
        };
        let factor = match size {
            "1" => String::new(),
            size => format!("{size} × "),
        };
        text.push_str(&format!("{sign}{factor}{}", name(&term.arm)));
    }
    text
}

/// The arms with positive and those with negative weights, if it is the difference of their means.
fn means(weights: &[Weight]) -> Option<[Vec<&str>; 2]> {
    let side = |sign: f64| -> Option<Vec<&str>> {
        let own = || weights.iter().filter(move |term| sign * term.weight > 0.0);
        let share = 1.0 / own().count().max(1) as f64;
        let equal = own().all(|term| (sign * term.weight / share - 1.0).abs() < 1e-3);
        let arms: Vec<&str> = own().map(|term| term.arm.as_str()).collect();
        (equal && !arms.is_empty()).then_some(arms)
    };
    Some([side(1.0)?, side(-1.0)?])
}

/// `mean of a and b`, and `mean of 6 arms (a to f)` for many; a single arm is its own mean.
fn mean_of(arms: &[&str], name: impl Fn(&str) -> String) -> String {
    let names: Vec<String> = arms.iter().map(|arm| name(arm)).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [some @ .., last] if names.len() <= MOST_NAMED_ARMS => {
            format!("mean of {} and {last}", some.join(", "))
        }
        [first, .., last] => format!("mean of {} arms ({first} to {last})", names.len()),
    }
}

/// The labels of factors and levels.
struct Words<'a>(&'a [Factor]);

impl Words<'_> {
    fn find(&self, name: &str) -> Option<&Factor> {
        self.0.iter().find(|factor| factor.name == name)
    }

    fn factor(&self, name: &str) -> String {
        one_line(self.find(name).map_or(name, |factor| &factor.label))
    }

    fn level(&self, factor: &str, name: &str) -> String {
        let levels = self.find(factor).map(|factor| &factor.levels);
        let level = levels.and_then(|levels| levels.iter().find(|level| level.name == name));
        one_line(level.map_or(name, |level| &level.label))
    }

    /// The label of a level, with that of the factor unless the former contains it.
    fn named_level(&self, factor: &str, level: &str) -> String {
        let (name, level) = (self.factor(factor), self.level(factor, level));
        match level.contains(&name) {
            true => level,
            false => format!("{level} ({name})"),
        }
    }

    /// The label of a level, with that of the factor if the former is a single word.
    fn clear_level(&self, factor: &str, level: &str) -> String {
        let label = self.level(factor, level);
        match label.contains(' ') {
            true => label,
            false => self.named_level(factor, level),
        }
    }

    fn between(&self, between: &[Between]) -> String {
        let pairs: Vec<String> = (between.iter())
            .map(|b| {
                format!(
                    "with {} rather than {}",
                    self.level(&b.factor, &b.first),
                    self.level(&b.factor, &b.second)
                )
            })
            .collect();
        pairs.join(" and ")
    }

    /// The levels at which other factors are held, and the factors that are averaged over.
    fn held(&self, varied: &str, at: &[Held], between: &[Between]) -> String {
        let mut text = String::new();
        for held in at {
            let levels = held.levels.iter().map(|l| self.level(&held.factor, l));
            let levels: Vec<String> = levels.collect();
            text.push_str(&format!(", with {}", levels.join(" and ")));
        }
        let averaged: Vec<String> = (self.0.iter())
            .filter(|factor| factor.name != varied)
            .filter(|factor| !at.iter().any(|held| held.factor == factor.name))
            .filter(|factor| !between.iter().any(|b| b.factor == factor.name))
            .map(|factor| one_line(&factor.label))
            .collect();
        if !averaged.is_empty() {
            text.push_str(&format!(", mean over {}", averaged.join(" and ")));
        }
        text
    }
}

/// Treatment against control by their names, for tables: `before` against `after`.
pub fn short(comparison: &ContrastKind, weights: &[Weight]) -> String {
    match comparison {
        ContrastKind::Arms { treatment, control } => format!("`{treatment}` against `{control}`"),
        ContrastKind::Sum => weighted_sum(weights, |name| format!("`{name}`")),
        ContrastKind::Effect {
            factor,
            treatment,
            control,
            at,
            between,
        } => {
            let mut text = format!("{factor}: `{treatment}` against `{control}`");
            for pair in between {
                text.push_str(&format!(
                    ", {}: `{}` minus `{}`",
                    pair.factor, pair.first, pair.second
                ));
            }
            for held in at {
                let levels: Vec<String> = held.levels.iter().map(|l| format!("`{l}`")).collect();
                text.push_str(&format!(", at {} {}", held.factor, levels.join(", ")));
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(terms: &[(&str, f64)]) -> String {
        let terms = terms.iter().map(|(arm, weight)| Weight {
            arm: (*arm).to_owned(),
            weight: *weight,
        });
        weighted_sum(&terms.collect::<Vec<_>>(), str::to_owned)
    }

    #[test]
    fn differences_of_means_name_their_arms() {
        assert_eq!(sum(&[("a", -1.0), ("b", 1.0)]), "b minus a");
        let two = sum(&[("a", -0.5), ("b", 1.0), ("c", -0.5)]);
        assert_eq!(two, "b minus mean of a and c");
        let many: Vec<(&str, f64)> = ["a", "b", "c", "d"].map(|arm| (arm, 0.25)).to_vec();
        let many = [many, vec![("e", -1.0)]].concat();
        assert_eq!(sum(&many), "mean of 4 arms (a to d) minus e");
    }

    #[test]
    fn other_sums_have_their_weights() {
        let crossed = sum(&[("a", 1.0), ("b", -1.0), ("c", -1.0), ("d", 1.0)]);
        assert_eq!(crossed, "a \u{2212} b \u{2212} c + d");
        assert_eq!(
            sum(&[("a", 1.0), ("b", -0.25), ("c", -0.75)]),
            "a \u{2212} 0.25 × b \u{2212} 0.75 × c"
        );
    }
}
