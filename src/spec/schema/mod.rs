//! Schema: the tables of a file, their conversion to domain types, and checks across keys.

mod assemble;
pub(in crate::spec) mod convert;
mod custom;
mod document;
mod duration;
mod inputs;
mod mistakes;
pub(in crate::spec) mod program;
pub(in crate::spec) mod ranges;
mod recipe;
mod seeds;
pub(in crate::spec) mod tables;
pub(in crate::spec) mod validate;
pub(in crate::spec) mod when;
pub(in crate::spec) mod zoo;
