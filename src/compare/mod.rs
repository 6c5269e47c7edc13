//! The same arms on several devices: the time of their training steps.

pub mod side_by_side;
pub mod speed;
pub mod stopwatch;
