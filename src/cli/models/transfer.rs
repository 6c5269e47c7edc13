//! `ablate models export` and `ablate models import`.

use crate::card::{Training, WEIGHTS_EXTENSION};
use crate::cli::arguments::DEFAULT_DEVICE;
use crate::cli::cards::{Draft, find};
use crate::cli::console::Console;
use crate::cli::exit::Failure;
use crate::cli::recipe::RecipeArgs;
use crate::cli::train::TRAINED;
use crate::data;
use crate::export::onnx;
use crate::files::{FileError, check_writable, read, write_atomic};
use ablate_models::interchange::{Network, Weights};
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ExportArgs {
    /// A trained net, as for `ablate evaluate`
    #[arg(value_name = "NAME|FILE")]
    name: String,
    /// Folder for NAME.safetensors, NAME.toml (the card), NAME.py
    /// (the net as an `nn.Sequential`) and NAME.onnx
    #[arg(
        long,
        value_name = "DIR",
        default_value = "exported",
        verbatim_doc_comment
    )]
    out: PathBuf,
}

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// Weights: `safetensors.torch.save_file(model.state_dict(),
    /// FILE)` of an `nn.Sequential` as `ablate models show
    /// --python` prints it
    #[arg(value_name = "WEIGHTS", verbatim_doc_comment)]
    weights: PathBuf,
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Seed of the splits, which choose the training images
    /// that scale the pixels and the test images
    #[arg(long, value_name = "N", default_value_t = 0, verbatim_doc_comment)]
    seed: u64,
    /// Name of the net and its files [default: that of the
    /// preset, or of the experiment and its arm]
    #[arg(long = "name", value_name = "NAME", verbatim_doc_comment)]
    given_name: Option<String>,
    /// Folder for the files
    #[arg(long, value_name = "DIR", default_value = TRAINED)]
    out: PathBuf,
}

pub(super) fn export(args: &ExportArgs, console: &Console) -> Result<(), Failure> {
    let trained = find(&args.name)?;
    check_writable(&args.out)?;
    let card = trained.write(&args.out)?;
    let code = card.with_extension("py");
    write_atomic(&code, trained.card.network()?.python().as_bytes())?;
    let model = card.with_extension("onnx");
    let (network, name) = (trained.card.network()?, &trained.card.name);
    write_atomic(&model, &onnx(&network, &trained.weights, name))?;
    let weights = card.with_extension(WEIGHTS_EXTENSION);
    for path in [&weights, &card, &code, &model] {
        console.print(&format!("wrote {}\n", path.display()))?;
    }
    Ok(())
}

pub(super) fn import(args: &ImportArgs, console: &Console) -> Result<(), Failure> {
    let chosen = args.recipe.choose()?;
    let name = chosen.file_name(args.given_name.as_ref())?;
    let path = &args.weights;
    let bytes = read(path).map_err(FileError::of("read", path))?;
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::unavailable(format!("cannot use `{}`: {error}", path.display()))
    };
    let weights = Weights::from_safetensors(&bytes).map_err(|error| wrong(&error))?;
    let job = chosen.job(DEFAULT_DEVICE, vec![args.seed])?;
    let net = job.net().ok_or_else(|| Failure::internal("not a net"))?;
    let dataset = data::load(net.data)?;
    let input = [dataset.height, dataset.width, dataset.channels];
    let network = Network::new(net.model.clone(), input, dataset.classes);
    let network = network.map_err(|error| wrong(&error))?;
    let weights = network.adopt(&weights).map_err(|error| wrong(&error))?;
    let draft = Draft {
        name: &name,
        network: &network,
        weights: &weights,
        dataset: &dataset,
        data: net.data,
        train: net.train,
        training: Training {
            seed: args.seed,
            learning_rate: net.learning_rates()[0],
            kept: 0,
            patience: 0,
            device: DEFAULT_DEVICE.to_owned(),
        },
        scored_on: DEFAULT_DEVICE,
    };
    let trained = draft.finish(None)?;
    check_writable(&args.out)?;
    let card = trained.write(&args.out)?;
    let test = &trained.card.test;
    console.print(&format!(
        "{name}: {:.2} % of {} test images correct\nwrote {} and {}\n",
        test.accuracy,
        test.images,
        card.with_extension(WEIGHTS_EXTENSION).display(),
        card.display()
    ))
}
