//! A forward pass block by block, from equal weights: where a device goes astray.

use super::distance::relative;
use super::steps::{CellSteps, DeviceNet, StepInput, with_values};
use crate::compare::analysis::bound::bound;
use crate::compare::results::{ForwardDeviation, ValueDeviation};
use crate::train::TrainError;
use crate::train::net::host_f64;
use ablate_models::Pass;
use ablate_models::pass::{Observer, Point};
use burn::tensor::Tensor;
use std::cell::RefCell;

/// Takes down what it sees.
#[derive(Default)]
struct RecordedValues(RefCell<Vec<(String, Point, Vec<f64>)>>);

impl Observer for RecordedValues {
    fn observe(&self, path: &str, point: Point, value: &Tensor<3>) {
        let value = host_f64(value.clone());
        self.0.borrow_mut().push((path.to_owned(), point, value));
    }
}

/// A value inside a forward pass: path, place in words, and numbers.
type ForwardValue = (String, &'static str, Vec<f64>);

/// What a forward pass of `cell_steps` at `input` shows on `device_net`, whose parameters have `values`.
fn seen(
    cell_steps: &CellSteps<'_>,
    device_net: &DeviceNet,
    input: &StepInput,
    values: &[Vec<f64>],
) -> Result<Vec<ForwardValue>, TrainError> {
    let model = cell_steps.model(&device_net.batches, &device_net.device, device_net.dtype)?;
    let model = with_values(model, values);
    let (pixels, _) = input.examples(cell_steps, &device_net.batches);
    let notes = RecordedValues::default();
    let pass = Pass::train(input.index as u64).observed_by(&notes);
    let logits = host_f64(device_net.net.forward(&model, pixels, &pass));
    let noted = notes.0.into_inner().into_iter();
    let mut seen: Vec<ForwardValue> = noted
        .map(|(path, point, value)| (path, word(point), value))
        .collect();
    seen.push(("head".to_owned(), "logits", logits));
    Ok(seen)
}

const fn word(point: Point) -> &'static str {
    match point {
        Point::LinearOutput => "what the weights give",
        Point::NormInput => "what enters the norm",
        Point::Preactivation => "what enters the activation",
        Point::Activation => "what leaves the activation",
        Point::Output => "the output",
    }
}

/// Where the forward pass of `device` at `input` leaves that of `truth`, from the parameters `values`
/// on both. Single precision on the truth's device says how near it has to be.
pub(super) fn locate_deviation(
    cell_steps: &CellSteps<'_>,
    [truth, yardstick, device]: [&DeviceNet; 3],
    input: &StepInput,
    values: &[Vec<f64>],
) -> Result<ForwardDeviation, TrainError> {
    let at = |device_net| seen(cell_steps, device_net, input, values);
    let (truth, yardstick, device) = (at(truth)?, at(yardstick)?, at(device)?);
    let mut largest = 0.0f64;
    let mut place = None;
    for ((exact, usual), here) in truth.iter().zip(&yardstick).zip(&device) {
        largest = largest.max(relative(&exact.2, &usual.2));
        let (distance, bound) = (relative(&exact.2, &here.2), bound(largest));
        if distance > bound {
            place = Some(ValueDeviation {
                path: here.0.clone(),
                point: here.1.to_owned(),
                distance,
                bound,
            });
            break;
        }
    }
    Ok(ForwardDeviation {
        step: input.index + 1,
        place,
    })
}
