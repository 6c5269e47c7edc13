//! Figures as SVG: accuracy curves, the paired differences behind each verdict, the cells of a
//! crossed design as interaction and dose-response plots, the figure that a spec asks for,
//! what probes measured, cost against size, and devices against each other, in what they compute and how fast.
//!
//! Equal input gives equal bytes. Colours are those of Okabe and Ito ("Color universal design",
//! 2008) that read on white, and every curve has a dash pattern beside its colour.

mod axis;
mod canvas;
mod clip;
mod curves;
mod differences;
mod distributions;
mod effect;
mod factorial;
mod identities;
mod layout;
mod legend;
mod matrices;
mod parity;
mod probes;
mod scaling;
mod speed;
mod step_time;
mod style;
mod swarm;

pub use curves::curves;
pub use differences::differences;
pub use distributions::{DISTRIBUTION_FILES, distributions};
pub use effect::effect;
pub use factorial::{dose_response, interaction};
pub use identities::identities;
pub use matrices::matrices;
pub use parity::parity;
pub use probes::{probe_series, traces};
pub use scaling::{Cost, CostPanel, CostSeries, Mark, Scaling, scaling};
pub use speed::{SPEED_FILES, speed};

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
