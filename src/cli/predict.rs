//! `ablate predict`.

use super::arguments::DEFAULT_DEVICE;
use super::cards::{find, on_device};
use super::console::Console;
use super::exit::{Code, Failure};
use super::trainer::find_device;
use crate::card::pixels;
use crate::data::{Row, Values};
use serde::Serialize;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Each line of the output is a JSON object: `image` (its number in its file, from
0), `file`, `class`, `probability` and `logits`.

Examples:
  ablate predict cnn-digits-bn digits.csv
  ablate predict trained/mine.toml t10k-images-idx3-ubyte.gz | head -3";

/// Images per forward pass.
const CHUNK: usize = 256;

#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A trained net, as for `ablate evaluate`
    #[arg(value_name = "NAME|FILE")]
    name: String,
    /// Files of images: IDX, plain or gzip, or CSV (`.csv`)
    /// with the pixels of an image per line, row by row, or
    /// with one row of numbers per line for a net of a table
    #[arg(value_name = "IMAGES", required = true, verbatim_doc_comment)]
    files: Vec<PathBuf>,
    /// Device; see `ablate devices`
    #[arg(long, value_name = "NAME", default_value = DEFAULT_DEVICE)]
    device: String,
}

/// One line of the output.
#[derive(Debug, Serialize)]
struct Prediction<'a> {
    file: &'a str,
    image: usize,
    class: usize,
    probability: f64,
    logits: &'a [f32],
}

pub(super) fn predict(args: &Args, console: &Console) -> Result<Code, Failure> {
    let trained = find(&args.name)?;
    find_device(&args.device, console)?;
    let card = &trained.card;
    let net = on_device(card, &trained.weights, &args.device)?;
    let features = card.images.height * card.images.width * card.images.channels;
    for path in &args.files {
        let values = pixels::read(path, card)?;
        let file = path.display().to_string();
        for (chunk, rows) in rows(&values, CHUNK * features).enumerate() {
            let logits = net.logits(rows);
            let mut lines = String::new();
            for (i, logits) in logits.chunks(card.images.classes).enumerate() {
                let (class, probability) = decide(logits);
                let prediction = Prediction {
                    file: &file,
                    image: chunk * CHUNK + i,
                    class,
                    probability,
                    logits,
                };
                let line = serde_json::to_string(&prediction)
                    .map_err(|error| Failure::internal(format!("cannot write JSON: {error}")))?;
                lines.push_str(&line);
                lines.push('\n');
            }
            console.print(&lines)?;
        }
    }
    Ok(Code::Done)
}

/// The values, `n` at a time.
fn rows(values: &Values, n: usize) -> Box<dyn Iterator<Item = Row<'_>> + '_> {
    match values {
        Values::Bytes(bytes) => Box::new(bytes.chunks(n).map(Row::Bytes)),
        Values::Numbers(numbers) => Box::new(numbers.chunks(n).map(Row::Numbers)),
    }
}

/// The class with the largest logit (the first of several) and its softmax probability.
fn decide(logits: &[f32]) -> (usize, f64) {
    let mut best = 0;
    for (class, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = class;
        }
    }
    let largest = f64::from(logits[best]);
    let sum: f64 = (logits.iter())
        .map(|&logit| (f64::from(logit) - largest).exp())
        .sum();
    (best, 1.0 / sum)
}

#[cfg(test)]
mod tests {
    use super::decide;

    #[test]
    fn the_largest_logit_decides_with_its_softmax() {
        let (class, probability) = decide(&[0.0, 2.0, 1.0]);
        let expected = 1.0 / (1.0 + (-2f64).exp() + (-1f64).exp());
        assert_eq!(class, 1);
        assert!((probability - expected).abs() < 1e-12);
        assert_eq!(decide(&[3e38, 3e38]), (0, 0.5));
    }
}
