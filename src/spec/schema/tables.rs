//! The tables of a spec file as serde types, strict and without checks across keys.

use crate::recipe::{
    AdamMoments, DataConfig, Evaluate, Length, Optimizer, ParameterGroup, PlantedFault, Probe,
    RmsProp, Schedule, Statistics, TrainConfig, Trained,
};
use crate::spec::Designed;
use crate::spec::Identity;
use crate::spec::design::crossing::{ExcludeTable, FactorTable};
use crate::spec::design::figure::FigureTable;
use crate::spec::design::weights::ContrastTable;
use crate::spec::parse::diagnostic::Diagnostic;
use crate::spec::parse::node::Node;
use crate::spec::schema::when::WhenTable;
use ablate_models::norm::AffineConfig;
use ablate_models::norm::{BatchNormConfig, GroupNormConfig, LayerNormConfig, NormConfig};
use ablate_models::zoo::ModelConfig;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{IgnoredAny, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::marker::PhantomData;

/// The file. Recipe tables are read again from the merged tree of each arm.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct Document {
    /// Known here for advice on mistyped keys; it is gone once the file is merged onto its base.
    #[serde(rename = "extends")]
    _extends: Option<IgnoredAny>,
    pub(in crate::spec) title: String,
    pub(in crate::spec) question: String,
    pub(in crate::spec) claim: Option<String>,
    #[serde(default)]
    pub(in crate::spec) bears_on: Vec<String>,
    pub(in crate::spec) sentence: Option<String>,
    pub(in crate::spec) reading: String,
    pub(in crate::spec) designed: Option<Designed>,
    pub(in crate::spec) designed_reason: Option<String>,
    #[serde(default)]
    pub(in crate::spec) suites: Vec<String>,
    pub(in crate::spec) seeds: OneOrMany<u64>,
    #[serde(rename = "data")]
    _data: Option<IgnoredAny>,
    #[serde(rename = "model")]
    _model: Option<IgnoredAny>,
    #[serde(rename = "train")]
    _train: Option<IgnoredAny>,
    #[serde(rename = "probes")]
    _probes: Option<IgnoredAny>,
    #[serde(rename = "program")]
    _program: Option<IgnoredAny>,
    #[serde(rename = "metrics")]
    _metrics: Option<IgnoredAny>,
    #[serde(rename = "set")]
    _set: Option<IgnoredAny>,
    #[serde(default)]
    pub(in crate::spec) factors: Vec<FactorTable>,
    #[serde(default)]
    pub(in crate::spec) exclude: Vec<ExcludeTable>,
    #[serde(default)]
    pub(in crate::spec) arms: Vec<ArmTable>,
    #[serde(default)]
    pub(in crate::spec) contrasts: Vec<ContrastTable>,
    #[serde(default)]
    pub(in crate::spec) identities: Vec<Identity>,
    #[serde(default)]
    pub(in crate::spec) published: Vec<PublishedTable>,
    pub(in crate::spec) figure: Option<FigureTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct ArmTable {
    pub(in crate::spec) name: String,
    pub(in crate::spec) label: Option<String>,
    /// Arguments of a program.
    pub(in crate::spec) args: Option<Vec<String>>,
    #[serde(rename = "set")]
    _set: Option<IgnoredAny>,
}

/// [`Published`] before its metric is known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct PublishedTable {
    pub(in crate::spec) arm: String,
    pub(in crate::spec) metric: Option<String>,
    pub(in crate::spec) source: String,
    pub(in crate::spec) place: Option<String>,
    pub(in crate::spec) value: f64,
    pub(in crate::spec) sd: Option<f64>,
    pub(in crate::spec) n: Option<u32>,
    #[serde(default)]
    pub(in crate::spec) when: WhenTable,
}

/// What an arm or a level of nets may set.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct SetTable {
    #[serde(rename = "data")]
    _data: Option<IgnoredAny>,
    #[serde(rename = "model")]
    _model: Option<IgnoredAny>,
    #[serde(rename = "train")]
    _train: Option<IgnoredAny>,
    #[serde(rename = "probes")]
    _probes: Option<IgnoredAny>,
}

/// The complete recipe of a net: base, arm and overrides merged.
pub(in crate::spec) struct NetTables {
    pub(in crate::spec) data: DataConfig,
    pub(in crate::spec) model: ModelConfig,
    pub(in crate::spec) train: TrainTable,
    pub(in crate::spec) probes: Vec<Probe>,
}

#[derive(Deserialize)]
#[serde(rename = "by kind", rename_all = "snake_case")]
pub(in crate::spec) enum NormTable {
    None(Empty),
    Batch(BatchNormConfig),
    Layer(LayerNormConfig),
    Group(GroupNormConfig),
    Affine(AffineConfig),
}

/// A table whose only key is `kind`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct Empty {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::spec) struct TrainTable {
    epochs: Option<usize>,
    steps: Option<usize>,
    evaluate_every: Option<usize>,
    evaluate_at: Option<Vec<usize>>,
    batch_size: usize,
    learning_rate: OneOrMany<f64>,
    optimizer: Option<OptimizerTable>,
    schedule: Option<ScheduleTable>,
    weight_decay: Option<f64>,
    decay_on: Option<Vec<ParameterGroup>>,
    #[serde(default)]
    evaluate_by: Statistics,
    max_norm: Option<f64>,
    fault: Option<PlantedFault>,
    loss_scale: Option<f64>,
    only: Option<Vec<Trained>>,
}

#[derive(Deserialize)]
#[serde(rename = "by kind", rename_all = "snake_case", deny_unknown_fields)]
enum OptimizerTable {
    Sgd {
        #[serde(default)]
        momentum: f64,
        #[serde(default)]
        nesterov: bool,
    },
    Adam(AdamMoments),
    Adamw(AdamMoments),
    #[serde(rename = "rmsprop")]
    RmsProp(RmsProp),
}

#[derive(Deserialize)]
#[serde(rename = "by kind", rename_all = "snake_case", deny_unknown_fields)]
enum ScheduleTable {
    Constant(Empty),
    Step {
        every: usize,
        factor: f64,
    },
    Cosine {
        #[serde(default)]
        floor: f64,
    },
    Exponential {
        factor: f64,
    },
    Decay {
        to: f64,
        tau: f64,
    },
}

impl From<NormTable> for NormConfig {
    fn from(table: NormTable) -> Self {
        match table {
            NormTable::None(Empty {}) => Self::None,
            NormTable::Batch(config) => Self::Batch(config),
            NormTable::Layer(config) => Self::Layer(config),
            NormTable::Group(config) => Self::Group(config),
            NormTable::Affine(config) => Self::Affine(config),
        }
    }
}

impl From<OptimizerTable> for Optimizer {
    fn from(table: OptimizerTable) -> Self {
        match table {
            OptimizerTable::Sgd { momentum, nesterov } => Self::Sgd { momentum, nesterov },
            OptimizerTable::Adam(moments) => Self::Adam(moments),
            OptimizerTable::Adamw(moments) => Self::Adamw(moments),
            OptimizerTable::RmsProp(config) => Self::RmsProp(config),
        }
    }
}

impl From<ScheduleTable> for Schedule {
    fn from(table: ScheduleTable) -> Self {
        match table {
            ScheduleTable::Constant(Empty {}) => Self::Constant,
            ScheduleTable::Step { every, factor } => Self::Step { every, factor },
            ScheduleTable::Cosine { floor } => Self::Cosine { floor },
            ScheduleTable::Exponential { factor } => Self::Exponential { factor },
            ScheduleTable::Decay { to, tau } => Self::Decay { to, tau },
        }
    }
}

impl TrainTable {
    /// The training configuration and the learning rates of the table that was read from `node`.
    pub(in crate::spec) fn into_config(
        self,
        node: &Node,
    ) -> Result<(TrainConfig, Vec<f64>), Diagnostic> {
        let conflict = |key: &str, other: &str| {
            let message = format!("conflicts with `train.{other}`; remove one of them");
            Err(Diagnostic::said(&message).at(&node.locate(key)))
        };
        let length = match (self.epochs, self.steps) {
            (Some(epochs), None) => Length::Epochs(epochs),
            (None, Some(steps)) => Length::Steps(steps),
            (Some(_), Some(_)) => return conflict("steps", "epochs"),
            (None, None) => return Err(Diagnostic::missing_key("epochs", &[]).at(&node.origin)),
        };
        let evaluate = match (self.evaluate_every, self.evaluate_at) {
            (None, None) => Evaluate::Usual,
            (Some(every), None) => Evaluate::Every(every),
            (None, Some(times)) => Evaluate::At(times),
            (Some(_), Some(_)) => return conflict("evaluate_at", "evaluate_every"),
        };
        let train = TrainConfig {
            length,
            evaluate,
            batch_size: self.batch_size,
            optimizer: self.optimizer.map(Into::into).unwrap_or_default(),
            schedule: self.schedule.map(Into::into).unwrap_or_default(),
            weight_decay: self.weight_decay.unwrap_or_default(),
            decay_on: self.decay_on.unwrap_or_else(TrainConfig::default_decay_on),
            evaluate_by: self.evaluate_by,
            max_norm: self.max_norm,
            fault: self.fault,
            loss_scale: self
                .loss_scale
                .unwrap_or_else(TrainConfig::default_loss_scale),
            only: self.only,
        };
        let learning_rates = match self.learning_rate {
            OneOrMany::One(rate) => vec![rate],
            OneOrMany::Many(rates) => rates,
        };
        Ok((train, learning_rates))
    }
}

/// A number or an array of numbers.
pub(in crate::spec) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}

struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or an array of numbers")
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
        T::deserialize(number.into_deserializer()).map(OneOrMany::One)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
        T::deserialize(number.into_deserializer()).map(OneOrMany::One)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Self::Value, E> {
        T::deserialize(number.into_deserializer()).map(OneOrMany::One)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OneOrMany::Many)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse::reader::BY_KIND;

    /// Compiles only while every kind of norm has its table here.
    #[test]
    fn every_kind_has_a_table() {
        let norm = |config| match config {
            NormConfig::None => NormTable::None(Empty {}),
            NormConfig::Batch(c) => NormTable::Batch(c),
            NormConfig::Layer(c) => NormTable::Layer(c),
            NormConfig::Group(c) => NormTable::Group(c),
            NormConfig::Affine(c) => NormTable::Affine(c),
        };
        let batch = NormConfig::Batch(BatchNormConfig::default());
        assert_eq!(NormConfig::from(norm(batch.clone())), batch);
    }

    #[test]
    fn kinded_tables_have_the_serde_name_of_the_reader() {
        struct Name;
        impl<'de> Deserializer<'de> for Name {
            type Error = serde::de::value::Error;
            fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
                Err(serde::de::Error::custom("not an enum"))
            }
            fn deserialize_enum<V: Visitor<'de>>(
                self,
                name: &'static str,
                _: &'static [&'static str],
                _: V,
            ) -> Result<V::Value, Self::Error> {
                Err(serde::de::Error::custom(name))
            }
            serde::forward_to_deserialize_any! {
                bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
                option unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier
                ignored_any
            }
        }
        let names = [
            NormTable::deserialize(Name).err(),
            OptimizerTable::deserialize(Name).err(),
            ScheduleTable::deserialize(Name).err(),
        ];
        for name in names {
            assert_eq!(name.unwrap().to_string(), BY_KIND);
        }
    }
}
