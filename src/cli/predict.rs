//! `ablate predict`.

use super::arguments::DEFAULT_DEVICE;
use super::cards::{find, on_device};
use super::console::Console;
use super::exit::{Code, Failure};
use super::trainer::find_device;
use crate::card::images::{images_below, is_image_file, read_image};
use crate::card::{Card, pixels};
use crate::data::{Row, Values};
use crate::text::counted;
use crate::train::TrainedNet;
use serde::Serialize;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Each line of the output is a JSON object: `image` (its number in its file, from
0), `file`, `class`, `probability` and `logits`.

Examples:
  ablate predict cnn-digits-bn digits.csv
  ablate predict trained/mine.toml t10k-images-idx3-ubyte.gz | head -3
  ablate predict trained/mine.toml photo.png folder/";

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
    /// with one row of numbers per line for a net of a table;
    /// PNG and JPEG files, and folders of them
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
    let predictor = Predictor {
        net: on_device(card, &trained.weights, &args.device)?,
        card,
        console,
    };
    let (mut files, mut refused) = (0, 0);
    for path in &args.files {
        let images = match path.is_dir() {
            true => images_below(path)?,
            false if is_image_file(path) => vec![path.clone()],
            false => {
                predictor.table(path)?;
                continue;
            }
        };
        for images in images.chunks(CHUNK) {
            files += images.len();
            refused += predictor.images(images)?;
        }
    }
    match refused {
        0 => Ok(Code::Done),
        _ => Err(Failure::unavailable(format!(
            "{refused} of {} could not be classified",
            counted(files, "image file")
        ))),
    }
}

/// A net that prints what it predicts.
struct Predictor<'a> {
    net: TrainedNet,
    card: &'a Card,
    console: &'a Console,
}

impl Predictor<'_> {
    /// Classifies a file with many examples.
    fn table(&self, path: &Path) -> Result<(), Failure> {
        let size = self.card.images;
        let values = pixels::read(path, self.card)?;
        let file = path.display().to_string();
        let features = size.height * size.width * size.channels;
        for (chunk, rows) in rows(&values, CHUNK * features).enumerate() {
            self.print(rows, |i| (&file, chunk * CHUNK + i))?;
        }
        Ok(())
    }

    /// Classifies image files. Warns of those that cannot be used, and returns how many there are.
    fn images(&self, paths: &[PathBuf]) -> Result<usize, Failure> {
        let (mut pixels, mut files) = (Vec::new(), Vec::new());
        for path in paths {
            match read_image(path, self.card) {
                Ok(image) => {
                    pixels.extend(image);
                    files.push(path.display().to_string());
                }
                Err(error) => self.console.warn(&error.to_string()),
            }
        }
        if !files.is_empty() {
            self.print(Row::Bytes(&pixels), |i| (&files[i], 0))?;
        }
        Ok(paths.len() - files.len())
    }

    /// Prints one line per example of `values`; `place` gives its file and its number there.
    fn print<'f>(
        &self,
        values: Row<'_>,
        place: impl Fn(usize) -> (&'f String, usize),
    ) -> Result<(), Failure> {
        let logits = self.net.logits(values);
        let mut lines = String::new();
        for (i, logits) in logits.chunks(self.card.images.classes).enumerate() {
            let (class, probability) = decide(logits);
            let (file, image) = place(i);
            let prediction = Prediction {
                file,
                image,
                class,
                probability,
                logits,
            };
            let line = serde_json::to_string(&prediction)
                .map_err(|error| Failure::internal(format!("cannot write JSON: {error}")))?;
            lines.push_str(&line);
            lines.push('\n');
        }
        self.console.print(&lines)
    }
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
