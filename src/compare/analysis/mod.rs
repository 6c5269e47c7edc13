//! What the numbers of a comparison say: whether a device computes the same steps, learns the same,
//! and is faster.

pub mod bound;
pub mod equivalence;
#[cfg(test)]
pub(crate) mod fixture;
mod goal;
pub mod target;
mod timings;

pub use goal::{AccuracyGoal, GoalTime};
pub use timings::{ArmTimings, Axis, CONFIDENCE, Crossover, pairs, time_ratio};
