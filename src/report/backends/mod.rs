//! A comparison of devices as text.

pub mod speed;
