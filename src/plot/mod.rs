//! Figures as SVG: accuracy curves, the paired differences behind each verdict, the cells of a
//! crossed design as interaction and dose-response plots, the figure that a spec asks for,
//! and what probes measured.
//!
//! Equal input gives equal bytes. Colours are those of Okabe and Ito ("Color universal design",
//! 2008) that read on white, and every curve has a dash pattern beside its colour.

pub(crate) mod axis;
pub(crate) mod canvas;
pub(crate) mod clip;
mod curves;
mod differences;
mod distributions;
mod effect;
mod factorial;
mod identities;
pub(crate) mod layout;
pub(crate) mod legend;
mod matrices;
mod probes;
pub(crate) mod style;
mod swarm;

pub use curves::curves;
pub use differences::differences;
pub use distributions::{DISTRIBUTION_FILES, distributions};
pub use effect::effect;
pub use factorial::{dose_response, interaction};
pub use identities::identities;
pub use matrices::matrices;
pub use probes::{probe_series, traces};

/// A figure that could not be drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot draw the figure `{figure}`: {message}")]
pub struct PlotError {
    /// Heading of the figure.
    pub figure: String,
    /// What the drawing library said.
    pub message: String,
}

#[cfg(test)]
mod tests;
