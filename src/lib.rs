//! Paired ablation experiments on burn: spec -> plan -> run -> record -> stats -> report.

pub mod data;
pub mod device;
pub mod files;
pub mod plan;
pub mod provenance;
pub mod record;
pub mod run;
pub mod spec;
pub mod train;
