//! Records that cannot be analysed.

/// Why records are not the records of one run of a spec.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AnalysisError {
    /// Nothing to analyse.
    #[error("`{spec}` has no records; train it with `ablate run {spec}`")]
    NoRecords {
        /// The spec.
        spec: String,
    },
    /// Cells of several devices.
    #[error(
        "records of `{spec}` come from `{first}` and from `{second}`; keep one results folder a device"
    )]
    MixedDevices {
        /// The spec.
        spec: String,
        /// A device.
        first: String,
        /// Another one.
        second: String,
    },
    /// Two records of one cell.
    #[error(
        "arm `{arm}`, seed {seed}, learning rate {learning_rate} has two records; pass only those of the current plan"
    )]
    Duplicate {
        /// The arm.
        arm: String,
        /// The seed.
        seed: u64,
        /// The rate.
        learning_rate: f64,
    },
    /// A finished cell that was not evaluated where the spec says.
    #[error("cell `{id}` of arm `{arm}` is done after {unit} {found} of {expected}; run it again")]
    WrongLength {
        /// The cell.
        id: String,
        /// Its arm.
        arm: String,
        /// Its last epoch or step; 0 for none.
        found: usize,
        /// Epochs or steps that the spec asks for.
        expected: usize,
        /// Which of the two it counts in.
        unit: &'static str,
    },
    /// A finished cell with a score that is not a number.
    #[error(
        "cell `{id}` of arm `{arm}` is done, but a score of epoch {epoch} is not finite; run it again"
    )]
    NotFinite {
        /// The cell.
        id: String,
        /// Its arm.
        arm: String,
        /// The epoch.
        epoch: usize,
    },
    /// Several learning rates and nothing to choose by.
    #[error(
        "arm `{arm}` has several learning rates and cell `{id}` no validation scores to choose by"
    )]
    NoValidation {
        /// The arm.
        arm: String,
        /// A cell without them.
        id: String,
    },
    /// A contrast of an arm that is not in the spec.
    #[error("contrast `{contrast}` names the arm `{arm}`, which the spec does not have")]
    UnknownArm {
        /// The contrast.
        contrast: String,
        /// The arm.
        arm: String,
    },
}
