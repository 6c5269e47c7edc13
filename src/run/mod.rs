//! Running a plan: which cells are missing, who trains them, and how their records are kept.

pub mod trainer;
