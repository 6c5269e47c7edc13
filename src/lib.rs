//! Paired ablation experiments on burn: spec -> plan -> run -> record -> stats -> report.

pub mod analysis;
pub mod card;
pub mod cli;
pub mod cluster;
pub mod compare;
pub mod export;
pub mod fetch;
pub mod files;
pub mod plan;
pub mod plot;
pub mod program;
pub mod provenance;
pub mod report;
pub mod run;
pub mod scores;
pub mod spec;
pub mod stats;
pub mod study;
pub mod text;
pub mod worker;

pub use ablate_training::{data, device, machine, recipe, record, train, trainer};
pub use spec::Registry;

/// The README's code.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Nets train side by side on threads that allocate all the time, many small things each step; the
/// system's allocators serve such threads one after the other.
#[cfg(not(fuzzing))] // Fuzz targets count what is allocated.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
