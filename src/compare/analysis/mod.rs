//! Analysis of a comparison: whether devices compute the same steps, learn the same, and which is
//! faster.

pub mod bound;
pub mod equivalence;
#[cfg(test)]
pub(crate) mod fixture;
mod goal;
pub mod target;
mod timings;

pub use goal::{AccuracyGoal, GoalTime};
pub use timings::{ArmTimings, Axis, CONFIDENCE, Crossover, device_pairs, time_ratio};
