//! What a contrast or an effect compares, in words.

use crate::analysis::Summary;
use crate::spec::{Between, Comparison, Factor, Held, Weight};
use crate::text::markdown::one_line;
use crate::text::number::fixed;

/// Who against whom, by labels: `norm before ReLU against norm after ReLU`.
pub fn subject(summary: &Summary, comparison: &Comparison, weights: &[Weight]) -> String {
    match comparison {
        Comparison::Arms { treatment, control } => {
            let label = |name: &str| {
                let label = summary.arm(name).map_or(name, |arm| arm.label.as_str());
                one_line(label)
            };
            format!("{} against {}", label(treatment), label(control))
        }
        Comparison::Sum => weighted_sum(weights),
        Comparison::Effect {
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
            // `dropout rate 0.5 against dropout rate 0` names its factor already.
            if !levels.iter().any(|level| level.contains(&name)) {
                text = format!("{name}: {text}");
            }
            if !between.is_empty() {
                text = format!("{text}, {}", words.between(between));
            }
            let places = words.places(factor, at, between);
            format!("{text}{places}")
        }
    }
}

/// `+1 × a − 0.5 × b − 0.5 × c`.
fn weighted_sum(weights: &[Weight]) -> String {
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
        text.push_str(&format!("{sign}{size} × `{}`", term.arm));
    }
    text
}

/// Labels of factors and levels.
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

    /// Where the other factors are held, and over which the mean is taken.
    fn places(&self, varied: &str, at: &[Held], between: &[Between]) -> String {
        let mut text = String::new();
        for held in at {
            let levels = held.levels.iter().map(|l| self.level(&held.factor, l));
            let levels: Vec<String> = levels.collect();
            text.push_str(&format!(", at {}", levels.join(" and ")));
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

/// The same by names, for tables: `before` against `after`.
pub(super) fn short(comparison: &Comparison, weights: &[Weight]) -> String {
    match comparison {
        Comparison::Arms { treatment, control } => format!("`{treatment}` against `{control}`"),
        Comparison::Sum => weighted_sum(weights),
        Comparison::Effect {
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
