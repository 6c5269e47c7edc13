//! `ablate evaluate`.

use super::arguments::{DEFAULT_DEVICE, Format, FormatArg};
use super::cards::{find, score};
use super::console::Console;
use super::exit::{Code, Failure};
use super::trainer::find_device;
use crate::data;
use serde::Serialize;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// A trained net that comes with the program
    /// (`ablate models list`), one in the folder `trained`,
    /// or the path of a card or of weights beside a card
    #[arg(value_name = "NAME|FILE", verbatim_doc_comment)]
    name: String,
    /// Device; see `ablate devices`
    #[arg(long, value_name = "NAME", default_value = DEFAULT_DEVICE)]
    device: String,
    #[command(flatten)]
    format: FormatArg,
}

/// What the command prints.
#[derive(Debug, Serialize)]
struct Evaluated {
    name: String,
    data: &'static str,
    images: usize,
    accuracy: f64,
    nll: f64,
    ece: f64,
    /// Accuracy in the card.
    card: f64,
    /// Whether both accuracies are equal.
    reproduced: bool,
}

pub(super) fn evaluate(args: &Args, console: &Console) -> Result<Code, Failure> {
    let trained = find(&args.name)?;
    let card = &trained.card;
    find_device(&args.device, console)?;
    let dataset = data::load(&card.data)?;
    let content = dataset.hashes().content();
    if content != card.test.content {
        return Err(Failure::unavailable(format!(
            "the data set `{}` has the content {content}, but `{}` was tested on {}",
            card.data.name.key(),
            card.name,
            card.test.content
        )));
    }
    let prepared = data::prepare_from(dataset, &card.data, card.training.seed)?;
    let images = prepared.split.test.len();
    let scores = score(card, &trained.weights, prepared, &args.device)?;
    let found = Evaluated {
        name: card.name.clone(),
        data: card.data.name.key(),
        images,
        accuracy: scores.accuracy,
        nll: scores.nll,
        ece: scores.ece,
        card: card.test.accuracy,
        reproduced: scores.accuracy == card.test.accuracy,
    };
    match args.format.format {
        Format::Json => console.print_json(&found)?,
        Format::Text => console.print(&format!(
            "{}: accuracy {:.2} % on {images} test images of {}, NLL {:.4} nats, ECE {:.2} %\n",
            found.name, found.accuracy, found.data, found.nll, found.ece
        ))?,
    }
    match found.reproduced {
        true => Ok(Code::Done),
        false => Err(Failure::new(
            Code::Differs,
            format!(
                "the card says {} %, and this machine finds {} %; other devices may round differently \
                 (the card is of `{}`)",
                found.card, found.accuracy, card.training.device
            ),
        )),
    }
}
