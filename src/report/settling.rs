//! Whether differences have settled, in sentences and a table.

use crate::analysis::subject::{control, treatment};
use crate::analysis::{ContrastSummary, FittedChange, Settling, Summary, Unjudged};
use crate::stats::Movement;
use crate::text::markdown::Align::{Left, Right};
use crate::text::markdown::{NO_VALUE, Table};
use crate::text::number::{decimals, interval, level, signed};

/// The explanation above the table.
pub(super) const SETTLING: &str = include_str!("templates/settling.md").trim_ascii_end();

/// One sentence on whether the difference has settled; `None` for a contrast that is not judged because it
/// names its own evaluation or has no decision.
pub(super) fn sentence(summary: &Summary, contrast: &ContrastSummary) -> Option<String> {
    contrast.decision.as_ref()?;
    Some(match contrast.settling.as_ref()? {
        Settling::Fitted(fitted) => {
            let (start, limit) = match fitted.movement {
                Movement::Moves => ("The difference still moves", "more than half the margin"),
                Movement::Settled => ("The difference has settled", "less than half the margin"),
                Movement::Unclear => (
                    "Whether the difference has settled is unclear",
                    "where half the margin would matter",
                ),
            };
            let favored = match fitted.movement {
                Movement::Moves => direction(summary, contrast, fitted.change),
                Movement::Settled | Movement::Unclear => String::new(),
            };
            format!("{start}: {}{favored}, {limit}.", change(contrast, fitted))
        }
        Settling::NotJudged { why, .. } => format!(
            "Whether the difference has settled cannot be judged: {}.",
            reason(*why)
        ),
    })
}

/// `over epochs 15 to 20 it changed by +0.25 points (95 % interval +0.03 to +0.48)`.
fn change(contrast: &ContrastSummary, fitted: &FittedChange) -> String {
    let d = digits(contrast, fitted);
    let bounds = fitted.interval.map_or("no interval".to_owned(), |bounds| {
        format!(
            "{} % interval {}",
            level(fitted.confidence),
            interval(bounds, d)
        )
    });
    format!(
        "over {}s {} to {} it changed by {} {} ({bounds})",
        fitted.length.unit(),
        fitted.from,
        fitted.length.count(),
        signed(fitted.change, d),
        contrast.contrast.metric.unit()
    )
}

/// Decimals that show two digits of the half width of the interval.
fn digits(contrast: &ContrastSummary, fitted: &FittedChange) -> usize {
    let half = fitted.interval.map(|i| (i.high - i.low) / 2.0);
    decimals(half, contrast.decimals())
}

/// In whose favor the difference moves; empty for a sum of arms or an interaction.
fn direction(summary: &Summary, contrast: &ContrastSummary, change: f64) -> String {
    let comparison = &contrast.contrast.comparison;
    if comparison.is_interaction() {
        return String::new();
    }
    let favored = match change > 0.0 {
        true => treatment(summary, comparison),
        false => control(summary, comparison),
    };
    favored.map_or(String::new(), |label| format!(" in favor of {label}"))
}

const fn reason(why: Unjudged) -> &'static str {
    match why {
        Unjudged::MeasuredOnce => "this quantity is measured only after training",
        Unjudged::UnlikeLengths => "the arms train for different lengths",
        Unjudged::FewEvaluations => "that takes at least three evaluations",
        Unjudged::FewSeeds => "that takes at least two seeds",
    }
}

/// The movement in a word.
pub(super) const fn movement_word(movement: Movement) -> &'static str {
    match movement {
        Movement::Moves => "moves",
        Movement::Settled => "settled",
        Movement::Unclear => "unclear",
    }
}

/// One row per contrast that is read at the last evaluation; `None` if there is none.
pub(super) fn table(summary: &Summary) -> Option<String> {
    let mut table = Table::new([
        ("contrast", Left),
        ("window", Left),
        ("change", Right),
        ("95 % interval", Right),
        ("limit", Right),
        ("seeds", Right),
        ("result", Left),
    ]);
    let mut any = false;
    for contrast in &summary.contrasts {
        let name = format!("`{}`", contrast.contrast.name);
        match &contrast.settling {
            None => continue,
            Some(Settling::NotJudged { why, .. }) => {
                let none = [NO_VALUE; 5].map(str::to_owned);
                let why = format!("not judged: {}", reason(*why));
                table.row([name].into_iter().chain(none).chain([why]));
            }
            Some(Settling::Fitted(fitted)) => {
                let d = digits(contrast, fitted);
                let unit = contrast.contrast.metric.unit();
                table.row([
                    name,
                    format!(
                        "{}s {} to {}",
                        fitted.length.unit(),
                        fitted.from,
                        fitted.length.count()
                    ),
                    format!("{} {unit}", signed(fitted.change, d)),
                    fitted
                        .interval
                        .map_or(NO_VALUE.to_owned(), |bounds| interval(bounds, d)),
                    format!("±{}", fitted.limit),
                    fitted.n.to_string(),
                    movement_word(fitted.movement).to_owned(),
                ]);
            }
        }
        any = true;
    }
    any.then(|| table.render())
}

/// [`sentence`] as a part of a line that ends without a point, for the terminal; `None` for a settled
/// difference, and for a program that reports its scores once.
pub(super) fn clause(summary: &Summary, contrast: &ContrastSummary) -> Option<String> {
    let silent = match contrast.settling.as_ref()? {
        Settling::Fitted(fitted) => fitted.movement == Movement::Settled,
        Settling::NotJudged { why, lengths } => {
            *why == Unjudged::FewEvaluations && lengths.is_empty()
        }
    };
    let sentence = sentence(summary, contrast).filter(|_| !silent)?;
    let mut text = sentence.trim_end_matches('.').to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{fixture, summarize};
    use crate::recipe::Length;
    use crate::stats::Interval;

    fn summary(settling: Option<Settling>) -> Summary {
        let spec = fixture::spec(2, 8, 10);
        let mut summary = summarize(&spec, &fixture::records(&spec)).unwrap();
        summary.contrasts[0].settling = settling;
        summary
    }

    fn fitted(change: f64, movement: Movement) -> Option<Settling> {
        Some(Settling::Fitted(FittedChange {
            length: Length::Epochs(10),
            from: 8,
            evaluations: 3,
            n: 8,
            change,
            confidence: 0.95,
            interval: Some(Interval {
                low: change - 0.13,
                high: change + 0.13,
            }),
            limit: 0.125,
            movement,
        }))
    }

    fn told(settling: Option<Settling>) -> Option<String> {
        let summary = summary(settling);
        sentence(&summary, &summary.contrasts[0])
    }

    #[test]
    fn moving_difference_is_told_with_size_and_direction() {
        assert_eq!(
            told(fitted(0.42, Movement::Moves)).unwrap(),
            "The difference still moves: over epochs 8 to 10 it changed by +0.42 points (95 % interval \
             +0.29 to +0.55) in favor of b label, more than half the margin."
        );
        let down = told(fitted(-0.42, Movement::Moves)).unwrap();
        assert!(down.contains("in favor of a label"), "{down}");
    }

    #[test]
    fn settled_and_open_differences_name_no_direction() {
        for movement in [Movement::Settled, Movement::Unclear] {
            let text = told(fitted(0.05, movement)).unwrap();
            assert!(!text.contains("in favor of"), "{text}");
            let word = match movement {
                Movement::Settled => "has settled: over",
                _ => "is unclear: over",
            };
            assert!(text.contains(word), "{text}");
        }
        assert_eq!(told(None), None);
    }

    #[test]
    fn reason_is_given_where_nothing_can_be_judged() {
        let text = told(Some(Settling::NotJudged {
            why: Unjudged::FewEvaluations,
            lengths: Vec::new(),
        }))
        .unwrap();
        assert!(text.ends_with("cannot be judged: that takes at least three evaluations."));
    }

    #[test]
    fn terminal_names_only_what_has_not_settled() {
        let clause = |settling| {
            let summary = summary(settling);
            clause(&summary, &summary.contrasts[0])
        };
        assert_eq!(clause(fitted(0.05, Movement::Settled)), None);
        let few = |lengths| {
            let why = Unjudged::FewEvaluations;
            clause(Some(Settling::NotJudged { why, lengths }))
        };
        assert_eq!(few(Vec::new()), None, "a program");
        assert!(few(vec![Length::Epochs(2)]).is_some());
        let moves = clause(fitted(0.42, Movement::Moves)).unwrap();
        assert!(moves.starts_with("the difference still moves: over"));
        assert!(moves.ends_with("more than half the margin"));
    }

    #[test]
    fn table_has_a_row_per_judged_contrast() {
        let text = table(&summary(fitted(0.42, Movement::Moves))).unwrap();
        for part in [
            "epochs 8 to 10",
            "+0.42 points",
            "+0.29 to +0.55",
            "±0.125",
            "moves",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(table(&summary(None)), None);
    }
}
