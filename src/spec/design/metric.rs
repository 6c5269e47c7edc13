//! Metrics: test scores, quantities that probes measure, and metrics that a program reports.

use crate::spec::design::quantities::{Direction, Quantity, Timing, Unit};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// Prefix of the names of metrics that a probe measures.
const PROBE: &str = "probe:";

/// A quantity that contrasts compare.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    /// Test accuracy in percent; higher is better.
    TestAccuracy,
    /// Test negative log-likelihood in nats; lower is better.
    TestNll,
    /// Test expected calibration error in percent; lower is better.
    TestEce,
    /// What a probe measures: `probe:NAME`.
    Probe(Measure),
    /// What a program reports.
    Program(ProgramMetric),
}

/// A metric that a program reports, as its table in the spec describes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramMetric {
    /// Name in the program's records.
    pub program: String,
    /// Label in tables and figures.
    pub label: String,
    /// Direction of improvement.
    pub better: Direction,
    /// Unit of a difference; `points` are differences of percentages.
    pub unit: String,
    /// Whether the program reports a share from 0 to 1 that is shown in percent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_share: bool,
}

impl ProgramMetric {
    /// Unit of differences of percentages.
    pub const POINTS: &'static str = "points";

    /// A reported value in the unit of the metric.
    pub fn shown(&self, reported: f64) -> f64 {
        match self.from_share {
            true => 100.0 * reported,
            false => reported,
        }
    }
}

impl Metric {
    /// The test scores.
    pub const SCORES: [Self; 3] = [Self::TestAccuracy, Self::TestNll, Self::TestEce];

    /// Name in specs and files.
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Self::TestAccuracy => "test_accuracy".into(),
            Self::TestNll => "test_nll".into(),
            Self::TestEce => "test_ece".into(),
            Self::Probe(measure) => format!("{PROBE}{}", measure.name()).into(),
            Self::Program(metric) => metric.program.clone().into(),
        }
    }

    /// Words for tables. Of what a probe measures they say which way is better.
    pub fn label(&self) -> Cow<'static, str> {
        match self {
            Self::TestAccuracy => "test accuracy".into(),
            Self::TestNll => "test NLL".into(),
            Self::TestEce => "test ECE".into(),
            Self::Probe(measure) => {
                let better = match measure.quantity.better {
                    Direction::Higher => "higher",
                    Direction::Lower => "lower",
                };
                format!("{} ({better} is better)", measure.label()).into()
            }
            Self::Program(metric) => metric.label.clone().into(),
        }
    }

    /// Unit of a difference.
    pub fn unit(&self) -> &str {
        match self {
            Self::TestAccuracy | Self::TestEce => "points",
            Self::TestNll => "nats",
            Self::Probe(measure) => measure.quantity.unit.of_differences(),
            Self::Program(metric) => &metric.unit,
        }
    }

    /// [`Self::label`] with a unit in brackets: `test accuracy (points)`.
    pub fn label_in(&self, unit: &str) -> String {
        let label = self.label();
        // `Gini coefficient (lower is better)` has brackets already.
        match (self, label.rsplit_once(" (")) {
            (Self::Probe(measure), _) if measure.quantity.unit == Unit::Number => {
                label.into_owned()
            }
            (Self::Probe(_), Some((quantity, better))) => format!("{quantity} ({unit}, {better}"),
            _ => format!("{label} ({unit})"),
        }
    }

    /// Unit of a value.
    pub fn scale(&self) -> &str {
        match self {
            Self::TestAccuracy | Self::TestEce => "%",
            Self::TestNll => "nats",
            Self::Probe(measure) => measure.quantity.unit.of_values(),
            Self::Program(metric) if metric.unit == ProgramMetric::POINTS => "%",
            Self::Program(metric) => &metric.unit,
        }
    }

    /// Whether a higher value is a better one.
    pub const fn higher_is_better(&self) -> bool {
        match self {
            Self::TestAccuracy => true,
            Self::TestNll | Self::TestEce => false,
            Self::Probe(measure) => matches!(measure.quantity.better, Direction::Higher),
            Self::Program(metric) => matches!(metric.better, Direction::Higher),
        }
    }

    /// Whether it is known after every epoch.
    pub const fn at_every_epoch(&self) -> bool {
        match self {
            Self::TestAccuracy | Self::TestNll | Self::TestEce => true,
            Self::Probe(measure) => matches!(measure.quantity.timing, Timing::EveryEpoch),
            Self::Program(_) => true,
        }
    }
}

/// A quantity of the catalogue, of the whole net or of a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Measure {
    /// What is measured.
    pub quantity: &'static Quantity,
    /// Of what: a block's path, a step, ...; absent for the whole net.
    pub part: Option<String>,
}

impl Measure {
    /// The measure that records call `name`; `None` where the catalogue has no such quantity.
    pub fn named(name: &str) -> Option<Self> {
        let (quantity, part) = match name.split_once('.') {
            Some((quantity, part)) => (quantity, Some(part.to_owned())),
            None => (name, None),
        };
        let quantity = Quantity::named(quantity)?;
        Some(Self { quantity, part })
    }

    /// Its name in records.
    pub fn name(&self) -> String {
        match &self.part {
            Some(part) => format!("{}.{part}", self.quantity.name),
            None => self.quantity.name.to_owned(),
        }
    }

    /// Words for it.
    pub fn label(&self) -> String {
        let label = self.quantity.label;
        match &self.part {
            None => label.to_owned(),
            Some(part) => match path_words(part) {
                Some(path) => format!("{label} of the {path}"),
                None => format!("{label}, {}", part_words(part)),
            },
        }
    }
}

/// A part of a net in words: `1st block` for `blocks.0`, `step 10` for `step_10`.
pub fn part_words(part: &str) -> String {
    path_words(part).unwrap_or_else(|| part.replace(['_', '-'], " "))
}

/// `2nd stage, 1st block` for `stages.1.blocks.0`; `None` if `part` is no path of a block.
fn path_words(part: &str) -> Option<String> {
    let segments: Vec<&str> = part.split('.').collect();
    let words = segments.chunks(2).map(|pair| {
        let [list, index] = pair else { return None };
        let number = index.parse::<usize>().ok()? + 1;
        let word = match *list {
            "blocks" => "block",
            "stages" => "stage",
            "dense" => "dense layer",
            _ => return None,
        };
        let ending = match (number % 10, number % 100) {
            (_, 11..=13) => "th",
            (1, _) => "st",
            (2, _) => "nd",
            (3, _) => "rd",
            _ => "th",
        };
        Some(format!("{number}{ending} {word}"))
    });
    Some(words.collect::<Option<Vec<_>>>()?.join(", "))
}

/// A name, or the description of a program's metric.
impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Program(metric) => metric.serialize(serializer),
            _ => serializer.serialize_str(&self.name()),
        }
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MetricVisitor)
    }
}

struct MetricVisitor;

impl<'de> Visitor<'de> for MetricVisitor {
    type Value = Metric;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a metric")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Metric, E> {
        let score = Metric::SCORES.into_iter().find(|m| m.name() == text);
        if let Some(score) = score {
            return Ok(score);
        }
        let Some(name) = text.strip_prefix(PROBE) else {
            return Err(E::unknown_variant(
                text,
                &["test_accuracy", "test_nll", "test_ece"],
            ));
        };
        let unknown = || E::custom(crate::spec::design::quantities::advice(name));
        Measure::named(name).map(Metric::Probe).ok_or_else(unknown)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Metric, A::Error> {
        ProgramMetric::deserialize(MapAccessDeserializer::new(map)).map(Metric::Program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Metric, serde_json::Error> {
        serde_json::from_value(text.into())
    }

    #[test]
    fn a_metric_is_read_as_it_is_written() {
        let names = [
            "test_accuracy",
            "test_nll",
            "test_ece",
            "probe:accuracy_gap",
        ];
        for name in names.into_iter().chain(["probe:dead.blocks.1"]) {
            let metric = read(name).unwrap();
            assert_eq!(serde_json::to_value(&metric).unwrap(), name);
        }
    }

    #[test]
    fn what_a_probe_measures_has_its_words_unit_and_direction_from_the_catalogue() {
        let dead = read("probe:dead.blocks.1").unwrap();
        assert_eq!(
            dead.label(),
            "share of dead units of the 2nd block (lower is better)"
        );
        assert_eq!((dead.unit(), dead.scale()), ("share", "share"));
        assert!(!dead.higher_is_better() && !dead.at_every_epoch());
        assert!(read("probe:train_accuracy").unwrap().higher_is_better());
    }

    #[test]
    fn parts_of_a_net_are_counted_from_one() {
        let words = [
            "blocks.0",
            "stages.1.blocks.2",
            "dense.10",
            "step_50",
            "batch-of-one",
        ];
        let words = words.map(part_words);
        let expected = [
            "1st block",
            "2nd stage, 3rd block",
            "11th dense layer",
            "step 50",
            "batch of one",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn a_quantity_that_there_is_not_is_answered_with_the_nearest() {
        let message = read("probe:daed.blocks.1").unwrap_err().to_string();
        assert!(message.contains("did you mean `probe:dead`?"), "{message}");
    }
}
