//! Measuring devices: their first steps, whole trainings, and the time of a step.

pub mod accuracy;
pub mod parity;
pub mod timing;
