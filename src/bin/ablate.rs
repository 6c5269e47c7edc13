//! The program `ablate`; see [`ablate::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ablate::cli::main(std::env::args_os())
}
