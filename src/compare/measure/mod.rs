//! Measurements: the first steps, complete trainings, and step times.

pub mod accuracy;
pub mod parity;
pub mod timing;
