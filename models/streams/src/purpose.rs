//! Purposes of random draws.

/// Purpose of a stream. Its name enters the key, so streams of different purposes are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Shifts and flips of training images; the step is the epoch, the block the image.
    Augment,
    /// Initial weights; the path is the parameter's.
    Init,
    /// Order of the training examples; the step is the epoch.
    Order,
    /// Dropout masks; the path is the layer's, the step is the training step.
    Mask,
    /// Gaussian noise in place of dropout masks; path and step as for masks.
    Noise,
    /// Choice of the examples of a subset, a fold or a validation split.
    Split,
    /// Label noise: choice of the labels to replace, and the new labels.
    LabelNoise,
    /// Choice of the trained weights, if not all are trained.
    Trained,
    /// Resampling in statistics.
    Resample,
    /// Choice of the units to corrupt, and the corruption.
    Fault,
    /// Samples of a probe; the path is the probe's.
    Probe,
}

impl Purpose {
    /// The name that enters the key.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Augment => "augment",
            Self::Init => "init",
            Self::Order => "order",
            Self::Mask => "mask",
            Self::Noise => "noise",
            Self::Split => "split",
            Self::LabelNoise => "label-noise",
            Self::Trained => "trained",
            Self::Resample => "resample",
            Self::Fault => "fault",
            Self::Probe => "probe",
        }
    }
}
