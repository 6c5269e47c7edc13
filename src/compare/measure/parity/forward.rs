//! Comparison of a forward pass block by block, from equal weights: the first value that deviates.

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

/// Records the values that a pass reports.
#[derive(Default)]
struct RecordedValues(RefCell<Vec<(String, Point, Vec<f64>)>>);

impl Observer for RecordedValues {
    fn observe(&self, path: &str, point: Point, value: &Tensor<3>) {
        let value = host_f64(value.clone());
        self.0.borrow_mut().push((path.to_owned(), point, value));
    }
}

/// A value within a forward pass: path, description, and numbers.
type ForwardValue = (String, &'static str, Vec<f64>);

/// The values of a forward pass of `input` on `device_net` with parameters `values`.
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
    let pass = Pass::train_at(input.index as u64).observed_by(&notes);
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
        Point::LinearOutput => "output of the linear map",
        Point::NormInput => "input of the norm",
        Point::Preactivation => "input of the activation",
        Point::Activation => "output of the activation",
        Point::Output => "output",
    }
}

/// The first deviation of the forward pass of `device` from that of `truth`, both with parameters
/// `values`. Single precision on the CPU (`baseline`) sets the bound.
pub(super) fn locate_deviation(
    cell_steps: &CellSteps<'_>,
    [truth, baseline, device]: [&DeviceNet; 3],
    input: &StepInput,
    values: &[Vec<f64>],
) -> Result<ForwardDeviation, TrainError> {
    let at = |device_net| seen(cell_steps, device_net, input, values);
    let (truth, baseline, device) = (at(truth)?, at(baseline)?, at(device)?);
    let mut largest = 0.0f64;
    let mut value = None;
    for ((exact, usual), here) in truth.iter().zip(&baseline).zip(&device) {
        largest = largest.max(relative(&exact.2, &usual.2));
        let (distance, bound) = (relative(&exact.2, &here.2), bound(largest));
        if distance > bound {
            value = Some(ValueDeviation {
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
        value,
    })
}
