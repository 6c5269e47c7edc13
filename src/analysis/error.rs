//! Errors in the records of an experiment.

/// Why the records of an experiment cannot be analysed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// There are no records.
    #[error("`{spec}` has no records; run `ablate run {spec}` first")]
    NoRecords {
        /// The spec.
        spec: String,
    },
    /// The records come from several devices.
    #[error(
        "the records of `{spec}` come from two devices, `{first}` and `{second}`; use one results folder per device"
    )]
    MixedDevices {
        /// The spec.
        spec: String,
        /// One device.
        first: String,
        /// Another device.
        second: String,
    },
    /// A cell has two records.
    #[error(
        "arm `{arm}`, seed {seed}{} has two records; keep only the one of the current plan",
        .learning_rate.map_or(String::new(), |rate| format!(", learning rate {rate}"))
    )]
    Duplicate {
        /// The arm.
        arm: String,
        /// The seed.
        seed: u64,
        /// The learning rate, if it has one.
        learning_rate: Option<f64>,
    },
    /// A finished cell has other evaluations than the spec asks for.
    #[error(
        "cell `{id}` of arm `{arm}` finished after {unit} {found} instead of {expected}; run it again"
    )]
    WrongLength {
        /// Id of the cell.
        id: String,
        /// Its arm.
        arm: String,
        /// Its last epoch or step; 0 for none.
        found: usize,
        /// Epochs or steps that the spec asks for.
        expected: usize,
        /// `epoch` or `step`.
        unit: &'static str,
    },
    /// A finished cell of a program has no metrics.
    #[error("cell `{id}` of arm `{arm}` finished without metrics; run it again")]
    NoMetrics {
        /// Id of the cell.
        id: String,
        /// Its arm.
        arm: String,
    },
    /// A finished cell has a score that is not finite.
    #[error(
        "cell `{id}` of arm `{arm}` has a score that is not finite in epoch {epoch}; run it again"
    )]
    NotFinite {
        /// Id of the cell.
        id: String,
        /// Its arm.
        arm: String,
        /// The epoch.
        epoch: usize,
    },
    /// An arm has several learning rates but no validation scores to choose one by.
    #[error(
        "arm `{arm}` has several learning rates, but its cell `{id}` has no validation scores to choose one by; set `data.validation` above 0, or name a metric of the program with `program.validation`"
    )]
    NoValidation {
        /// The arm.
        arm: String,
        /// Id of a cell without validation scores.
        id: String,
    },
    /// A contrast names an arm that is not in the spec.
    #[error("contrast `{contrast}` names the arm `{arm}`, which the spec does not have")]
    UnknownArm {
        /// The contrast.
        contrast: String,
        /// The arm.
        arm: String,
    },
}
