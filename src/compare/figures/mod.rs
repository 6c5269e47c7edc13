//! Figures of a comparison of devices, and of cost against size.

mod cost;
mod parity;
mod speed;
mod step_time;

pub use cost::{Cost, CostFacet, CostFigure, CostSeries, Mark, cost_figure};
pub use parity::parity;
pub use speed::{SPEED_FILES, speed};
