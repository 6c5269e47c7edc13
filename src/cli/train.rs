//! `ablate train`.

use super::arguments::{DEFAULT_DEVICE, positive};
use super::cards::card_of;
use super::console::Console;
use super::exit::{Code, Failure};
use super::recipe::RecipeArgs;
use super::{signals, trainer};
use crate::card::{CheckpointFolder, Trained};
use crate::data;
use crate::files::check_writable;
use crate::machine::cores;
use crate::record::{EpochRecord, Outcome};
use crate::run::lock::Lock;
use crate::text::counted;
use crate::train::{Fit, Kept};
use crate::trainer::{Job, Progress, StopFlag};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Folder for trained nets, unless another is given.
pub(crate) const TRAINED: &str = "trained";

const EXAMPLES: &str = "\
Examples:
  ablate train mlp-digits-bn                   a preset on its usual data set
  ablate train cnn-mnist-bn --data fashion_mnist --patience 3
  ablate train mlp-digits --seeds 5            mean and SD of 5 seeds
  ablate train mine.toml --set train.epochs=50

It writes NAME.safetensors and NAME.toml, the card. A training that was
stopped or killed goes on from its last evaluation: run the same command again.";

/// The widest seed that a card, a TOML file, can hold.
const LARGEST_SEED: u64 = i64::MAX as u64;

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Seed of the net
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Seeds to train, the first of which is `--seed`; the
    /// card gives mean and standard deviation of their
    /// accuracy, and the weights are those of the first
    #[arg(long, value_name = "N", default_value = "1", value_parser = positive, verbatim_doc_comment)]
    seeds: NonZeroUsize,
    /// Stop after N evaluations without a lower loss on the
    /// validation split, and keep the best weights
    #[arg(long, value_name = "N", value_parser = positive, verbatim_doc_comment)]
    patience: Option<NonZeroUsize>,
    /// Name of the net and its files [default: that of the
    /// preset, or of the experiment and its arm]
    #[arg(long = "name", value_name = "NAME", verbatim_doc_comment)]
    given_name: Option<String>,
    /// Folder for the files
    #[arg(long, value_name = "DIR", default_value = TRAINED)]
    out: PathBuf,
    /// Device to train on; see `ablate devices`. Also set by
    /// the variable `ABLATE_DEVICE`
    #[arg(
        long,
        value_name = "NAME",
        env = "ABLATE_DEVICE",
        hide_env = true,
        default_value = DEFAULT_DEVICE,
        verbatim_doc_comment
    )]
    device: String,
    /// Start again instead of going on from a checkpoint
    #[arg(long)]
    fresh: bool,
}

pub(super) fn train(args: &Args, console: &Arc<Console>) -> Result<Code, Failure> {
    let chosen = args.recipe.choose()?;
    let name = chosen.file_name(args.given_name.as_ref())?;
    trainer::find_device(&args.device, console)?;
    let job = chosen.job(&args.device, args.seed_list()?)?;
    let net = job.net().ok_or_else(|| Failure::internal("not a net"))?;
    if args.patience.is_some() && net.data.validation == 0.0 {
        let message = "`--patience` needs a validation split; set `data.validation` above 0";
        return Err(Failure::usage(message));
    }
    let dataset = data::load(net.data)?;
    let folder = CheckpointFolder::new(&args.out, &name);
    check_writable(folder.path())?;
    let lock = Lock::acquire(folder.path()).map_err(|_| {
        Failure::new(
            Code::Stopped,
            format!(
                "another process trains `{name}` in `{}`",
                args.out.display()
            ),
        )
    })?;
    let mut fit = Fit::new(&job, &dataset, cores(), args.patience.map(usize::from))?;
    if !args.fresh
        && let Some((checkpoint, tensors)) = folder.load()?
    {
        fit.resume(checkpoint, &tensors)?;
        let (done, all) = (fit.evaluations(), fit.places().len());
        console.info(&format!("{name}: goes on after evaluation {done} of {all}"));
    }
    let stop = signals::catch(console)?;
    run(&mut fit, &name, &folder, &stop, console)?;
    report(&fit, &name, console);
    let card = card_of(&name, &job, &fit, &dataset, args.patience)?;
    let path = card.write(&args.out)?;
    folder.remove()?;
    drop(lock);
    remove_folder(folder.path());
    console.print(&written(&card, &path))?;
    Ok(Code::Done)
}

impl Args {
    fn seed_list(&self) -> Result<Vec<u64>, Failure> {
        let count = usize::from(self.seeds) as u64;
        let last = self.seed.checked_add(count - 1);
        match last.filter(|last| *last <= LARGEST_SEED) {
            Some(last) => Ok((self.seed..=last).collect()),
            None => Err(Failure::usage(format!(
                "the last seed is above {LARGEST_SEED}; lower `--seed`"
            ))),
        }
    }
}

/// Trains to the end, with a checkpoint after each evaluation.
fn run(
    fit: &mut Fit<'_>,
    name: &str,
    folder: &CheckpointFolder,
    stop: &StopFlag,
    console: &Console,
) -> Result<(), Failure> {
    let last = fit.places().last().copied().unwrap_or(0);
    console.start_bar(last as u64);
    let bar = Bar(console);
    while fit.trains() {
        if fit.advance(&bar, stop)?.is_none() {
            return Err(Failure::new(
                Code::Stopped,
                format!("stopped in `{name}`; run the same command again to continue"),
            ));
        }
        let (checkpoint, tensors) = fit.checkpoint();
        folder.save(checkpoint, &tensors)?;
        let place = fit.places()[fit.evaluations() - 1];
        let first = fit
            .records()
            .first()
            .and_then(|record| record.epochs.last());
        let scores = first.map(scores).unwrap_or_default();
        console.bar().set_position(place as u64);
        console.bar().set_message(format!("{name}: {scores}"));
        if console.bar().is_hidden() {
            console.info(&format!("{name}: {place} of {last}: {scores}"));
        }
    }
    Ok(())
}

/// `loss 0.1234, validation accuracy 97.20 %`.
fn scores(epoch: &EpochRecord) -> String {
    let loss = epoch.train_loss.map(|loss| format!("loss {loss:.4}"));
    let validation = epoch.validation.map(|scores| {
        let (accuracy, nll) = (scores.accuracy, scores.nll);
        format!("validation accuracy {accuracy:.2} %, NLL {nll:.4}")
    });
    let parts: Vec<String> = loss.into_iter().chain(validation).collect();
    parts.join(", ")
}

/// Moves the progress bar.
struct Bar<'a>(&'a Console);

impl Progress for Bar<'_> {
    fn advanced(&self, _: &Job, done: usize) {
        self.0.bar().set_position(done as u64);
    }
}

/// Says which weights each seed keeps.
fn report(fit: &Fit<'_>, name: &str, console: &Console) {
    for Kept {
        seed,
        evaluation,
        outcome,
        ..
    } in fit.kept()
    {
        let what = match (outcome, evaluation) {
            (Outcome::Done, Some(kept)) => {
                let test = kept.test.map_or(f64::NAN, |scores| scores.accuracy);
                format!(
                    "keeps the weights after {}: test accuracy {test:.2} %",
                    kept.place()
                )
            }
            (Outcome::Diverged { epoch }, _) => format!("diverged in epoch {epoch}"),
            _ => "failed".to_owned(),
        };
        console.info(&format!("{name}: seed {seed} {what}"));
    }
}

/// Removes the folder of a finished training if nothing else is in it.
fn remove_folder(folder: &Path) {
    let _ = std::fs::remove_file(folder.join(".lock"));
    let _ = std::fs::remove_dir(folder);
}

fn written(trained: &Trained, path: &Path) -> String {
    let card = &trained.card;
    let (mean, sd, n) = (card.test.mean, card.test.sd, card.test.seeds.len());
    let spread = match n {
        1 => String::new(),
        _ => format!("; mean {mean:.2} %, SD {sd:.2}, of {n} seeds"),
    };
    format!(
        "{}: {:.2} % of {} correct{spread}\nwrote {} and {}\n",
        card.name,
        card.test.accuracy,
        counted(card.test.images, "test image"),
        path.with_file_name(&card.weights.file).display(),
        path.display(),
    )
}
