//! Parsing: TOML to nodes that know their line, merging, overrides, and errors with line and nearest key.

pub(in crate::spec) mod checks;
mod depth;
pub(in crate::spec) mod diagnostic;
pub(in crate::spec) mod error;
pub(in crate::spec) mod extends;
pub(in crate::spec) mod merge;
pub(in crate::spec) mod node;
pub(in crate::spec) mod overrides;
pub(in crate::spec) mod reader;
pub(in crate::spec) mod recovery;
pub(in crate::spec) mod scalar;
