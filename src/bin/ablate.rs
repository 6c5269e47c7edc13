//! The program `ablate`; everything it does is in [`ablate::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ablate::cli::main(std::env::args_os())
}
