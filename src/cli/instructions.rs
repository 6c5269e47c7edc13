//! The environment variable that limits the instruction set. Worker processes inherit it.

use super::exit::Failure;
use ablate_kernels::InstructionSet;

/// Name of the variable.
const VARIABLE: &str = "ABLATE_MAX_CPU_ISA";

/// Limits the CPU kernels to the instruction set that the environment names.
pub(super) fn limit() -> Result<(), Failure> {
    let Some(name) = std::env::var_os(VARIABLE) else {
        return Ok(());
    };
    let fail = |error: String| Failure::usage(format!("{VARIABLE}: {error}"));
    let set: InstructionSet = name.to_string_lossy().parse().map_err(fail)?;
    set.limit().map_err(|error| fail(error.to_string()))
}
