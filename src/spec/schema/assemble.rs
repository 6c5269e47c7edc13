//! Assembly of a spec from its document and the parts that were made from it.

use crate::spec::schema::tables::{Document, OneOrMany};
use crate::spec::schema::validate;
use crate::spec::{Arm, Changes, Contrast, Factor, Figure, ProgramDesign, Published, Source, Spec};
use ablate_models::ConfigError;
use std::path::PathBuf;

/// The parts of a spec that depend on each other.
pub(in crate::spec) struct Parts {
    pub(in crate::spec) name: String,
    pub(in crate::spec) path: PathBuf,
    pub(in crate::spec) seeds: Vec<u64>,
    pub(in crate::spec) factors: Vec<Factor>,
    pub(in crate::spec) arms: Vec<Arm>,
    pub(in crate::spec) contrasts: Vec<Contrast>,
    pub(in crate::spec) published: Vec<Published>,
    pub(in crate::spec) figure: Option<Figure>,
    pub(in crate::spec) program: Option<ProgramDesign>,
}

impl Document {
    /// The seeds.
    pub(in crate::spec) fn seeds(&self) -> Result<Vec<u64>, ConfigError> {
        match &self.seeds {
            OneOrMany::One(count) => validate::counted_seeds(*count),
            OneOrMany::Many(list) => validate::listed_seeds(list.clone()),
        }
    }

    /// The spec of this document, without changes and source.
    pub(in crate::spec) fn into_spec(self, parts: Parts) -> Spec {
        Spec {
            figure: parts.figure,
            name: parts.name,
            path: parts.path,
            title: self.title,
            question: self.question,
            claim: self.claim,
            bears_on: self.bears_on,
            sentence: self.sentence,
            reading: self.reading,
            designed: self.designed,
            designed_reason: self.designed_reason,
            suites: self.suites,
            seeds: parts.seeds,
            looks: None,
            factors: parts.factors,
            arms: parts.arms,
            contrasts: parts.contrasts,
            identities: self.identities,
            published: parts.published,
            program: parts.program,
            changes: Changes::default(),
            source: Source::default(),
        }
    }
}
