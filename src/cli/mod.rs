//! The command line, one verb per file. Only this module prints and names clap.

mod adopt;
mod arguments;
mod cards;
mod check;
mod compare;
mod compared;
mod completions;
mod console;
mod data;
mod data_sheet;
mod devices;
mod diff;
mod draw;
mod estimate;
mod evaluate;
mod exit;
mod explain;
mod export;
mod fetch;
mod figures;
mod folder;
mod found;
mod fsck;
mod guests;
mod init;
mod instructions;
mod judge;
mod list;
mod live;
mod logging;
mod looks;
mod man;
mod manifest;
mod measure;
mod models;
mod new;
mod plan;
mod predict;
mod preflight;
mod progress;
mod recipe;
mod report;
mod root;
mod run;
mod seeds;
mod select;
mod serve;
mod sheet;
mod show;
mod signals;
mod status;
mod submit;
mod table;
mod tips;
mod train;
mod trained;
mod trainer;
mod variant;
mod verify;
mod vs;
mod weights;
mod work;
mod worker;

use crate::spec::Registry;
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
  ablate                               run the standard suite, print its answers
  ablate run dropout --device ndarray  run one experiment on another device
  ablate run mine.toml --set train.epochs=3 --seeds 5
  ablate plan all                      preview a run: cells, time, power
  ablate show dropout                  show recorded results at once
  ablate explain C1                    explain a claim and its answer
  ablate diff dropout dropout@epochs=1 compare two results, arm by arm
  ablate report --check                check that reports match their records
  ablate verify --cells 5              retrain 5 recorded cells and compare
  ablate fsck --repair                 check results folders, and repair them
  ablate compare --devices flex,wgpu   compare two devices: speed and results
  ablate worker results/mine           help another process with its cells
  ablate submit slurm mine.toml        train on a cluster

Results of unchanged experiments from `experiments/` on the default device go
to `results/`, all other results to `ablate-results/`. `--results DIR` chooses
another folder. Changes with `--set`, fewer seeds or another device give a
variant with a folder and a name of its own, such as `mine@epochs=3`.

Exit codes:
  0   done
  1   internal error
  2   bad arguments, or a bad experiment file
  3   some cells failed; the next run retries them
  4   verification failed, devices disagree, or a derived file is out of date
  5   a device, data, a folder or records are missing
  75  stopped, or the results folder is in use; safe to run again

Environment:
  ABLATE_DEVICE      default device of `run` and `plan`
  ABLATE_DATA_DIR    folder that holds the data sets (see `ablate data list`)
  RAYON_NUM_THREADS  number of cores to use at most
  ABLATE_LEASE_SECONDS  time without a sign of life after which another process
                     of a shared run counts as dead [default: 60]
  ABLATE_MAX_CPU_ISA widest vector instructions to use: scalar, avx2 or avx512
                     (the same bits for avx2 and avx512)
  RUST_LOG           log level of libraries, such as `info`
  NO_COLOR           if set, print no colors";

/// Paired ablation experiments on dropout and batch normalization.
///
/// An experiment is a TOML file: a question, the arms to compare (or factors to
/// cross), and what the claim predicts. `ablate` trains every arm with the same
/// seeds, compares the arms seed by seed, and says whether the claim is
/// supported, contradicted or undecided. Without a command, it runs the standard
/// suite.
#[derive(Debug, Parser)]
#[command(name = "ablate", version = VERSION, after_help = EXAMPLES)]
#[command(disable_help_subcommand = true, verbatim_doc_comment)]
struct Cli {
    /// Print results, warnings and errors only
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "verbose",
        display_order = 100
    )]
    quiet: bool,
    /// Print every epoch; twice: also what libraries log
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 101)]
    verbose: u8,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Train missing cells, write reports, print the answers
    Run(run::Args),
    /// Write a folder with the standard experiments to start from
    Init(init::Args),
    /// Write an experiment file to start from
    New(new::Args),
    /// Compare commands: run each with several seeds, and decide
    Vs(Box<vs::Args>),
    /// Compare scores that exist already
    Judge(Box<judge::Args>),
    /// Train cells of an experiment that other processes share
    Worker(Box<worker::Args>),
    /// Hand missing cells to the queue of a cluster
    Submit(Box<submit::Args>),
    /// Say which cells are done, running, queued, failed, missing
    Status(Box<status::Args>),
    /// Preview a run: cells to train, time, detectable differences
    Plan(plan::Args),
    /// List the experiments and their verdicts
    List(list::Args),
    /// Show results without training: answer, arms, contrasts
    Show(show::Args),
    /// Explain a claim: question, design, answer, what to do
    Explain(explain::Args),
    /// Compare two results, arm by arm, and their settings
    Diff(diff::Args),
    /// Export scores, tables and text for other tools and papers
    Export(export::Args),
    /// Validate experiment files without training
    Check(check::Args),
    /// Rebuild reports and figures from the records, or check them
    Report(report::Args),
    /// Train some recorded cells again and compare
    Verify(verify::Args),
    /// Check results folders for damage, and repair them
    Fsck(fsck::Args),
    /// Compare devices: rounding errors, accuracy and speed
    Compare(compare::Args),
    /// Train one net and keep its weights, with a card
    Train(Box<train::Args>),
    /// Score a trained net on its test images
    Evaluate(evaluate::Args),
    /// Classify images with a trained net
    Predict(predict::Args),
    /// List the models, show, export or import one
    Models(models::Args),
    /// List the data sets, or check their files
    Data(data::Args),
    /// List the devices and whether they are available
    Devices(devices::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print the manual page, or write one per verb
    Man(man::Args),
    /// Answer requests from standard input, one JSON object per line
    ///
    /// `ablate run` starts this as a worker process.
    #[command(hide = true)]
    Serve(serve::Args),
}

/// The clap definition of the command line, for completions and tests.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the whole command line with the models of `registry`: the `main` of a program that adds models of
/// its own. It reads the arguments of the process and returns its exit code.
///
/// `ablate` may start this program again as a worker, so `main` should do nothing else.
pub fn main_with(registry: Registry) -> ExitCode {
    if registry.install().is_err() {
        let console = Arc::new(Console::new(false, 0));
        let twice =
            "the registry is installed already; call `main_with` once, and before anything else";
        return exit::code(Err(Failure::internal(twice)), &console);
    }
    main(std::env::args_os())
}

/// Runs the program with `args` (the first is the program's name) and returns its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return exit::print_clap(&error),
    };
    logging::start(cli.quiet, cli.verbose);
    crate::data::register_found();
    let console = Arc::new(Console::new(cli.quiet, cli.verbose));
    let done = std::panic::catch_unwind(AssertUnwindSafe(|| perform(cli.verb, &console)));
    let done = done.unwrap_or_else(|_| Err(Failure::internal("the program panicked, see above")));
    exit::code(done, &console)
}

fn perform(verb: Option<Verb>, console: &Arc<Console>) -> Result<Code, Failure> {
    instructions::limit()?;
    match verb {
        None => run::run(&default_run()?, console),
        Some(Verb::Run(args)) => run::run(&args, console),
        Some(Verb::Init(args)) => init::init(&args, console),
        Some(Verb::New(args)) => new::new(&args, console),
        Some(Verb::Vs(args)) => vs::vs(&args, console),
        Some(Verb::Judge(args)) => judge::judge(&args, console),
        Some(Verb::Worker(args)) => worker::worker(&args, console),
        Some(Verb::Submit(args)) => submit::submit(&args, console),
        Some(Verb::Status(args)) => status::status(&args, console),
        Some(Verb::Plan(args)) => plan::plan(&args, console),
        Some(Verb::List(args)) => list::list(&args, console),
        Some(Verb::Show(args)) => show::show(&args, console),
        Some(Verb::Explain(args)) => explain::explain(&args, console),
        Some(Verb::Diff(args)) => diff::diff(&args, console),
        Some(Verb::Export(args)) => export::export(&args, console),
        Some(Verb::Check(args)) => check::check(&args, console),
        Some(Verb::Report(args)) => report::report(&args, console),
        Some(Verb::Verify(args)) => verify::verify(&args, console),
        Some(Verb::Fsck(args)) => fsck::fsck(&args, console),
        Some(Verb::Compare(args)) => compare::compare(&args, console),
        Some(Verb::Train(args)) => train::train(&args, console),
        Some(Verb::Evaluate(args)) => evaluate::evaluate(&args, console),
        Some(Verb::Predict(args)) => predict::predict(&args, console),
        Some(Verb::Models(args)) => models::models(&args, console),
        Some(Verb::Data(args)) => data::data(&args, console),
        Some(Verb::Devices(args)) => devices::devices(&args, console),
        Some(Verb::Completions(args)) => completions::completions(&args, console),
        Some(Verb::Man(args)) => man::man(&args, console),
        Some(Verb::Serve(_)) => serve::serve(),
    }
}

/// The arguments of a plain `ablate run`, which reads environment variables.
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
    fn clap_definition_is_valid() {
        command().debug_assert();
    }

    #[test]
    fn every_verb_and_option_has_help() {
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
    fn help_fits_80_columns() {
        for verb in command().get_subcommands_mut() {
            let name = verb.get_name().to_owned();
            let help = verb.render_long_help().to_string();
            let long = help.lines().find(|line| line.chars().count() > 80);
            assert_eq!(long, None, "{name}");
        }
        let help = command().render_long_help().to_string();
        assert!(
            help.lines().all(|line| line.chars().count() <= 80),
            "{help}"
        );
    }

    #[test]
    fn no_verb_means_run() {
        assert_eq!(default_run().unwrap().common.selection.names, [""; 0]);
        assert!(Cli::try_parse_from(["ablate"]).unwrap().verb.is_none());
    }

    #[test]
    fn version_names_the_features() {
        for device in crate::device::built_in() {
            assert!(VERSION.contains(device), "{VERSION}");
        }
    }
}
