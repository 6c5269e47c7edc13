//! The options of `vs` and `judge` that say what is compared, and errors in their terms.

use super::exit::Failure;
use crate::spec::{Direction, Expect, Spec, SpecError, nearest};
use crate::study::{Study, StudyMetric, StudyScale};
use clap::ValueEnum;
use std::path::Path;
use std::str::FromStr;

/// What is compared, and what is predicted.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Compared {
    /// Metric and which way is better, in quotes: `'accuracy>'`
    /// (higher) or `'loss<'` (lower). The first one decides
    /// (repeatable)
    #[arg(long = "metric", value_name = "METRIC", verbatim_doc_comment)]
    pub(crate) metrics: Vec<Directed>,
    /// Smallest difference that matters: a number for the first
    /// metric, `loss=0.01` for another one (repeatable).
    /// A metric without one is listed, not compared
    #[arg(
        long = "margin",
        value_name = "NUMBER",
        allow_negative_numbers = true,
        verbatim_doc_comment
    )]
    margins: Vec<OfMetric<f64>>,
    /// What you predict of every arm against the control:
    /// `better`, `worse`, `equivalent` or `differs`
    #[arg(
        long,
        value_enum,
        value_name = "PREDICTION",
        default_value = "differs",
        hide_possible_values = true,
        verbatim_doc_comment
    )]
    expect: Predicted,
    /// How a percentage is reported: `percent`, or `share` for
    /// 0 to 1; `NAME=share` for another metric than the first
    #[arg(long = "from", value_name = "percent|share", verbatim_doc_comment)]
    scales: Vec<OfMetric<Scale>>,
    /// Unit of differences, such as `nats`; `NAME=UNIT` for
    /// another metric than the first
    #[arg(long = "unit", value_name = "UNIT", verbatim_doc_comment)]
    units: Vec<OfMetric<String>>,
}

/// A metric and its better direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Directed {
    pub(crate) name: String,
    pub(crate) better: Direction,
}

impl FromStr for Directed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let better = match text.chars().last() {
            Some('>') => Direction::Higher,
            Some('<') => Direction::Lower,
            _ => {
                return Err(format!(
                    "it does not say which way is better; add `>` (higher) or `<` (lower), in quotes for \
                     the shell: `--metric '{text}>'`"
                ));
            }
        };
        let name = text[..text.len() - 1].trim();
        match name.is_empty() || name.contains(char::is_control) {
            true => Err("it has no name of a metric; write `'accuracy>'`".to_owned()),
            false => Ok(Self {
                name: name.to_owned(),
                better,
            }),
        }
    }
}

/// `VALUE` for the first metric, or `NAME=VALUE`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OfMetric<T> {
    metric: Option<String>,
    value: T,
}

impl<T: FromStr<Err: std::fmt::Display>> FromStr for OfMetric<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (metric, value) = match text.rsplit_once('=') {
            Some((metric, value)) => (Some(metric.trim().to_owned()), value),
            None => (None, text),
        };
        let value = value.trim().parse();
        Ok(Self {
            metric,
            value: value.map_err(|error: T::Err| error.to_string())?,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scale(StudyScale);

impl FromStr for Scale {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "percent" => Ok(Self(StudyScale::Percent)),
            "share" => Ok(Self(StudyScale::Share)),
            _ => Err("it must be `percent` or `share`"),
        }
    }
}

/// Whether arms are compared seed by seed; `None` stands for `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paired(pub(crate) Option<bool>);

impl FromStr for Paired {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self(None)),
            "true" => Ok(Self(Some(true))),
            "false" => Ok(Self(Some(false))),
            _ => Err("it must be `auto`, `true` or `false`"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Predicted {
    Better,
    Worse,
    Equivalent,
    Differs,
}

impl Compared {
    /// What is predicted.
    pub(crate) const fn expect(&self) -> Expect {
        match self.expect {
            Predicted::Better => Expect::Better,
            Predicted::Worse => Expect::Worse,
            Predicted::Equivalent => Expect::Equivalent,
            Predicted::Differs => Expect::Differs,
        }
    }

    /// The metrics with all that is said of them. There is at least one, and the first has a margin.
    ///
    /// # Errors
    /// If a metric is named twice, an option names none of them, or the first has no margin.
    pub(crate) fn metrics(&self) -> Result<Vec<StudyMetric>, Failure> {
        let mut metrics: Vec<StudyMetric> = Vec::new();
        for given in &self.metrics {
            if metrics.iter().any(|metric| metric.name == given.name) {
                let name = &given.name;
                return Err(Failure::usage(format!(
                    "`--metric` names `{name}` twice; keep one"
                )));
            }
            metrics.push(StudyMetric {
                name: given.name.clone(),
                better: given.better,
                unit: None,
                from: None,
                margin: None,
            });
        }
        for given in &self.margins {
            given.find("--margin", &mut metrics)?.margin = Some(given.value);
        }
        for given in &self.units {
            given.find("--unit", &mut metrics)?.unit = Some(given.value.clone());
        }
        for given in &self.scales {
            given.find("--from", &mut metrics)?.from = Some(given.value.0);
        }
        match metrics.first() {
            None => Err(Failure::usage(
                "`--metric` is missing; name what is measured and which way is better, as in \
                 `--metric 'accuracy>'`",
            )),
            Some(first) if first.margin.is_none() => Err(Failure::usage(format!(
                "`--margin` is missing: the smallest difference in `{}` that matters to you, as in \
                 `--margin 0.5`",
                first.name
            ))),
            Some(_) => Ok(metrics),
        }
    }
}

impl<T> OfMetric<T> {
    /// The metric that it is about.
    fn find<'m>(
        &self,
        option: &str,
        metrics: &'m mut [StudyMetric],
    ) -> Result<&'m mut StudyMetric, Failure> {
        let names: Vec<String> = metrics.iter().map(|metric| metric.name.clone()).collect();
        let found = match &self.metric {
            None => metrics.first_mut(),
            Some(name) => metrics.iter_mut().find(|metric| metric.name == *name),
        };
        found.ok_or_else(|| {
            let name = self.metric.as_deref().unwrap_or_default();
            Failure::usage(format!(
                "`{option}` names `{name}`, which no `--metric` names; {}",
                advice(name, &names)
            ))
        })
    }
}

/// What to name in place of the unknown `name`.
pub(crate) fn advice(name: &str, known: &[String]) -> String {
    match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let quoted: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            format!("there is {}", quoted.join(", "))
        }
    }
}

/// The options that stand for the keys of an experiment file; of several that fit, the first counts.
const OPTIONS: [(&str, &str); 12] = [
    ("program.metrics.regex", "--regex"),
    ("program.metrics.file", "--csv"),
    ("program.timeout", "--timeout"),
    ("program.inputs", "--inputs"),
    ("program.directory", "--dir"),
    ("program.env", "--env"),
    ("program.learning_rate", "--lr"),
    ("program.validation", "--validation"),
    ("program.command", "--arm"),
    ("arms", "--arm"),
    ("metrics", "--metric"),
    ("seeds", "--seeds"),
];

/// Reads the experiment file `text` of `study` as if it stood at `path`.
///
/// # Errors
/// At the first mistake, in terms of the options of the command line.
pub(crate) fn parse(study: &Study, path: &Path, text: &str) -> Result<Spec, Failure> {
    Spec::parse(&study.name, path, text, &[]).map_err(|error| in_options(&error))
}

fn in_options(error: &SpecError) -> Failure {
    let Some(key) = error.key() else {
        return Failure::usage(error.to_string());
    };
    let of_contrast = key.starts_with("contrasts").then_some(match () {
        () if key.ends_with("margin") => "--margin",
        () => "--arm",
    });
    let option = OPTIONS.iter().find(|(start, _)| key.starts_with(start));
    let Some(option) = of_contrast.or(option.map(|(_, option)| *option)) else {
        return Failure::usage(error.to_string());
    };
    let said = OPTIONS
        .iter()
        .fold(error.message().to_owned(), |said, (key, option)| {
            said.replace(&format!("`{key}`;"), &format!("`{option}`;"))
        });
    Failure::usage(match said.strip_prefix(&format!("`{key}` ")) {
        Some(rest) => format!("`{option}` {rest}"),
        None => format!("`{option}`: {said}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_name_their_direction() {
        let metric: Directed = "accuracy>".parse().unwrap();
        assert_eq!(
            (&*metric.name, metric.better),
            ("accuracy", Direction::Higher)
        );
        let metric: Directed = "eval/loss <".parse().unwrap();
        assert_eq!(
            (&*metric.name, metric.better),
            ("eval/loss", Direction::Lower)
        );
        let error = "accuracy".parse::<Directed>().unwrap_err();
        assert!(error.contains("--metric 'accuracy>'"), "{error}");
        for text in ["", ">", " <"] {
            assert!(text.parse::<Directed>().is_err(), "{text}");
        }
    }

    #[test]
    fn values_are_for_the_first_metric_or_the_named_one() {
        let found: OfMetric<f64> = "0.3".parse().unwrap();
        assert_eq!((found.metric, found.value), (None, 0.3));
        let found: OfMetric<f64> = "a=b=1e-3".parse().unwrap();
        assert_eq!((found.metric.as_deref(), found.value), (Some("a=b"), 1e-3));
        assert!("loss=much".parse::<OfMetric<f64>>().is_err());
        let error = "loss=x".parse::<OfMetric<Scale>>().unwrap_err();
        assert_eq!(error, "it must be `percent` or `share`");
    }
}
