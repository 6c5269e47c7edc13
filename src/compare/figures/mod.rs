//! Figures of a comparison of devices, and of cost against size.

mod parity;
mod scaling;
mod speed;
mod step_time;

pub use parity::parity;
pub use scaling::{Cost, CostPanel, CostSeries, Mark, Scaling, scaling};
pub use speed::{SPEED_FILES, speed};
