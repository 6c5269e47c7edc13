//! What decides the numbers of an experiment: data, recipes, devices, records and the built-in trainer.
//!
//! The fingerprint in every cell's id covers this crate, so a change here makes records stale. It
//! knows nothing of experiments, plans and reports, and therefore nothing that decides a number can
//! lie outside it.

pub mod data;
pub mod device;
pub mod machine;
#[expect(
    clippy::large_enum_variant,
    reason = "an experiment has few recipes, and nets are the usual case"
)]
pub mod recipe;
pub mod record;
pub mod train;
pub mod trainer;
