//! The identities behind the claims in double precision, and the cases in which they must not hold.

mod bias;
mod dropout;
mod scale;
mod statistics;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "each test uses a part of it")]
mod support;
