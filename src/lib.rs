//! Paired ablation experiments on burn: spec -> plan -> run -> record -> stats -> report.

pub mod record;
pub mod run;
pub mod spec;
