//! Winograd convolution.

mod convolution;
mod transform;

pub(super) use convolution::{WinogradConv, WinogradWorkspace};
