//! The command line: one verb a file. Nothing else prints or names clap.

mod adopt;
mod arguments;
mod check;
mod compare;
mod completions;
mod console;
mod data;
mod devices;
mod exit;
mod folder;
mod list;
mod logging;
mod measure;
mod models;
mod plan;
mod preflight;
mod progress;
mod report;
mod run;
mod select;
mod serve;
mod signals;
mod table;
mod trainer;
mod verify;
mod work;

use clap::{ArgAction, CommandFactory, Parser, Subcommand};
use console::Console;
use exit::{Code, Failure};
use std::ffi::OsString;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::Arc;

const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (features: ",
    env!("ABLATE_FEATURES"),
    ")"
);

const EXAMPLES: &str = "\
Examples:
  ablate                                  run the standard suite, print its tables
  ablate run dropout --device ndarray     one experiment on another device
  ablate run mine.toml --set train.epochs=3 --seeds 5
  ablate plan all                         what that would train, how long, what it could show
  ablate report --check                   are the committed reports those of the records?
  ablate verify --cells 5                 train 5 recorded cells again and compare
  ablate compare --devices flex,wgpu      is the GPU worth it, and does it learn the same?

Results of `experiments/` as they are, on the default device, go to `results/`; those of anything
else go to `ablate-results/`, unless `--results` says where.

Exit codes:
  0  done
  1  internal error
  2  bad arguments or a bad spec
  3  some cells failed; the next run tries them again
  4  a verification failed, devices compute different things, or a derived file is stale
  5  a device, data, a folder or records that are needed are not available
  75 stopped, or the results folder is in use; safe to run again

Environment:
  ABLATE_DEVICE     device of `run` and `plan`
  ABLATE_DATA_DIR   folder of data sets (see `ablate data list`)
  RAYON_NUM_THREADS most cores to use
  RUST_LOG          what is logged to standard error
  NO_COLOR          no colours";

/// Paired ablation experiments on dropout and batch normalization.
///
/// An experiment is a TOML file: a question, arms or factors to cross, and what the claim
/// predicts. `ablate` trains every arm with the same seeds, compares them pair by pair, and says
/// whether the claim is supported, contradicted or undecided. Without a verb it runs the standard
/// suite.
#[derive(Debug, Parser)]
#[command(name = "ablate", version = VERSION, after_help = EXAMPLES, max_term_width = 100)]
#[command(disable_help_subcommand = true)]
struct Cli {
    /// Print no progress and no remarks; warnings and errors still are.
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "verbose",
        display_order = 100
    )]
    quiet: bool,
    /// Say more: every epoch; twice: what libraries log.
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 101)]
    verbose: u8,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Train what is missing, derive the reports, print the tables.
    Run(run::Args),
    /// Say what a run would train, how long it would take and what it could show.
    Plan(plan::Args),
    /// List the experiments and what became of them.
    List(list::Args),
    /// Validate experiments without training.
    Check(check::Args),
    /// Rebuild reports and figures from the records, or check that they are up to date.
    Report(report::Args),
    /// Train some recorded cells again and compare.
    Verify(verify::Args),
    /// Compare devices: do they compute the same, do they learn the same, and how fast.
    Compare(compare::Args),
    /// The models that specs can name.
    Models(models::Args),
    /// The data sets, and where their files belong.
    Data(data::Args),
    /// The devices: which are built in, and what answers to them on this machine.
    Devices(devices::Args),
    /// Print completions for a shell.
    Completions(completions::Args),
    /// Work off requests, a line of JSON each on standard input; `run` starts this.
    #[command(hide = true)]
    Serve(serve::Args),
}

/// The whole command line, for completions and for its tests.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program with `args`, the first of which is its name, and says how it ended.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return exit::of_clap(&error),
    };
    logging::start(cli.quiet, cli.verbose);
    let console = Arc::new(Console::new(cli.quiet, cli.verbose));
    let done = std::panic::catch_unwind(AssertUnwindSafe(|| perform(cli.verb, &console)));
    let done = done.unwrap_or_else(|_| Err(Failure::internal("the program panicked, see above")));
    exit::code(done, &console)
}

fn perform(verb: Option<Verb>, console: &Arc<Console>) -> Result<Code, Failure> {
    match verb {
        None => run::run(&default_run()?, console),
        Some(Verb::Run(args)) => run::run(&args, console),
        Some(Verb::Plan(args)) => plan::plan(&args, console),
        Some(Verb::List(args)) => list::list(&args, console),
        Some(Verb::Check(args)) => check::check(&args, console),
        Some(Verb::Report(args)) => report::report(&args, console),
        Some(Verb::Verify(args)) => verify::verify(&args, console),
        Some(Verb::Compare(args)) => compare::compare(&args, console),
        Some(Verb::Models(args)) => models::models(&args, console),
        Some(Verb::Data(args)) => data::data(&args, console),
        Some(Verb::Devices(args)) => devices::devices(&args, console),
        Some(Verb::Completions(args)) => completions::completions(&args, console),
        Some(Verb::Serve(_)) => serve::serve(),
    }
}

/// What `ablate run` means, with the environment's variables.
fn default_run() -> Result<run::Args, Failure> {
    match Cli::try_parse_from(["ablate", "run"]) {
        Ok(Cli {
            verb: Some(Verb::Run(args)),
            ..
        }) => Ok(args),
        Ok(_) => Err(Failure::internal("`run` is not a verb")),
        Err(error) => Err(Failure::usage(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn every_verb_and_option_is_explained() {
        fn walk(command: &clap::Command) {
            for argument in command.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {}",
                    command.get_name(),
                    argument.get_id()
                );
            }
            for verb in command.get_subcommands() {
                assert!(verb.get_about().is_some(), "{}", verb.get_name());
                walk(verb);
            }
        }
        walk(&command());
    }

    #[test]
    fn no_verb_is_run_with_its_defaults() {
        assert_eq!(default_run().unwrap().selection.names, [""; 0]);
        assert!(Cli::try_parse_from(["ablate"]).unwrap().verb.is_none());
    }

    #[test]
    fn the_version_names_the_features() {
        for device in crate::device::built_in() {
            assert!(VERSION.contains(device), "{VERSION}");
        }
    }
}
