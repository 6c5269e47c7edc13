//! Design: factors and their crossing, contrasts and their weights, metrics, identities, claims.

pub(in crate::spec) mod claims;
pub(in crate::spec) mod contrast;
pub(in crate::spec) mod crossing;
pub(in crate::spec) mod factors;
pub(in crate::spec) mod figure;
pub(in crate::spec) mod identity;
pub(in crate::spec) mod idle_probes;
pub(in crate::spec) mod level_entry;
pub(in crate::spec) mod metric;
pub(in crate::spec) mod quantities;
pub(in crate::spec) mod weights;
