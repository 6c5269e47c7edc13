//! Kernels that are broken on purpose; the comparison must name the layer and the step.

use super::steps::{CellSteps, DeviceNet, OnGradients, SteppedNet, like};
use super::{baseline, compare};
use crate::compare::analysis::bound::first_violation;
use crate::compare::results::{DeviceComparison, Measured, OnDevice, Parity, RoundingBaseline};
use crate::device;
use crate::spec::Spec;
use crate::train::net::{Net, host_f64};
use crate::train::optimizer::Optimizer;
use crate::train::parameters::{map_gradients, map_parameters, values};
use crate::train::schedule::RateAdjustment;
use crate::trainer::StopFlag;
use ablate_models::Pass;
use ablate_models::pass::{Observer, Point};
use ablate_models::zoo::Model;
use burn::tensor::{DType, Device, Int, Tensor};
use std::cell::RefCell;
use std::path::Path;

/// A vectorized optimizer kernel that skips the remainder: from step `from` (from 1) on, the last
/// number of every row of one parameter keeps its value.
struct ForgetsTails {
    net: Net,
    path: &'static str,
    row: usize,
    from: u64,
}

impl SteppedNet for ForgetsTails {
    fn model(&self) -> &Model {
        self.net.model()
    }

    fn step(
        &mut self,
        pixels: Tensor<3>,
        labels: Tensor<2, Int>,
        pace: RateAdjustment,
        on_gradients: OnGradients<'_>,
    ) -> Tensor<1> {
        let before = values(self.net.model());
        let losses = self.net.step(pixels, labels, pace, on_gradients).losses;
        if self.net.steps() >= self.from {
            let (path, row) = (self.path, self.row);
            let epilogue = |index: usize, at: &str, new: Tensor<2>| {
                if at != path {
                    return new;
                }
                let old = host_f64(before[index].1.clone());
                let mixed = host_f64(new.clone()).into_iter().enumerate();
                let mixed = mixed.map(|(k, x)| if (k + 1) % row == 0 { old[k] } else { x });
                like(&new, mixed.collect())
            };
            self.net.replace(|model| map_parameters(model, epilogue));
        }
        losses
    }
}

/// A net in parts, so that a fault can be put into the middle of a step.
struct SplitNet {
    model: Model,
    optimizer: Optimizer,
    steps: u64,
}

impl SplitNet {
    fn new(cell_steps: &CellSteps<'_>, device_net: &DeviceNet) -> Self {
        let model = cell_steps
            .model(&device_net.batches, &device_net.device, device_net.dtype)
            .unwrap();
        Self {
            optimizer: cell_steps.optimizer(&model),
            model,
            steps: 0,
        }
    }
}

/// A backward kernel that stops one row early: from step `from` on, the gradient of the head's weights
/// misses the last example.
struct LosesARow {
    net: SplitNet,
    from: u64,
}

/// Keeps the output of the last block.
#[derive(Default)]
struct LastOutput(RefCell<Option<Tensor<3>>>);

impl Observer for LastOutput {
    fn observe(&self, _path: &str, point: Point, value: &Tensor<3>) {
        if point == Point::Output {
            *self.0.borrow_mut() = Some(value.clone());
        }
    }
}

impl SteppedNet for LosesARow {
    fn model(&self) -> &Model {
        &self.net.model
    }

    fn step(
        &mut self,
        pixels: Tensor<3>,
        labels: Tensor<2, Int>,
        pace: RateAdjustment,
        on_gradients: OnGradients<'_>,
    ) -> Tensor<1> {
        let model = self.net.model.clone();
        let entered = LastOutput::default();
        let pass = Pass::train_at(self.net.steps).observed_by(&entered);
        let logits = model.forward(pixels, &pass);
        let losses = ablate_kernels::cross_entropy(logits.clone(), labels.clone());
        let mut gradients = losses.clone().sum().backward();
        self.net.steps += 1;
        if self.net.steps >= self.from {
            let entered = host_f64(entered.0.take().expect("a block was seen"));
            let share = share_of_last_row(&host_f64(logits), &entered, labels);
            let paths = values(&model);
            map_gradients(&model, &mut gradients, |index, old| {
                if paths[index].0 != "head.weight" {
                    return old;
                }
                let rest = host_f64(old.clone()).into_iter().zip(&share);
                like(&old, rest.map(|(all, last)| all - last).collect())
            });
        }
        on_gradients(&model, &gradients);
        self.net.model = self.net.optimizer.step(model, &mut gradients, pace);
        losses.inner()
    }
}

/// The last example's part of the gradient of the head's weights: head input times (softmax of the
/// logits - target) / examples.
fn share_of_last_row(logits: &[f64], entered: &[f64], labels: Tensor<2, Int>) -> Vec<f64> {
    let labels = labels.try_into_vec_as::<i64>().unwrap();
    let n = labels.len();
    let last = |values: &[f64]| values[values.len() / n * (n - 1)..].to_vec();
    let exponentials: Vec<f64> = last(logits).iter().map(|z| z.exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    let target = labels[n - 1] as usize;
    let errors: Vec<f64> = (exponentials.iter().enumerate())
        .map(|(class, e)| (e / sum - f64::from(u8::from(class == target))) / n as f64)
        .collect();
    let rows = last(entered).into_iter();
    rows.flat_map(|x| errors.iter().map(move |e| x * e).collect::<Vec<_>>())
        .collect()
}

/// A forward kernel that skips the bias of the first block.
struct DropsABias(SplitNet);

const BIAS: &str = "blocks.0.linear.bias";

impl DropsABias {
    fn broken(model: &Model) -> Model {
        map_parameters(model.clone(), |_, path, value| match path {
            BIAS => value.zeros_like(),
            _ => value,
        })
    }
}

impl SteppedNet for DropsABias {
    fn model(&self) -> &Model {
        &self.0.model
    }

    fn step(
        &mut self,
        pixels: Tensor<3>,
        labels: Tensor<2, Int>,
        pace: RateAdjustment,
        on_gradients: OnGradients<'_>,
    ) -> Tensor<1> {
        let old = values(&self.0.model);
        let model = Self::broken(&self.0.model);
        let logits = model.forward(pixels, &Pass::train_at(self.0.steps));
        let losses = ablate_kernels::cross_entropy(logits, labels);
        let mut gradients = losses.clone().sum().backward();
        on_gradients(&model, &gradients);
        // The optimizer updates the skipped bias as usual.
        let moved = self.0.optimizer.step(model, &mut gradients, pace);
        self.0.model = map_parameters(moved, |index, path, value| match path {
            BIAS => value + old[index].1.clone(),
            _ => value,
        });
        self.0.steps += 1;
        losses.inner()
    }

    fn forward(&self, model: &Model, pixels: Tensor<3>, pass: &Pass<'_>) -> Tensor<3> {
        Self::broken(model).forward(pixels, pass)
    }
}

const STEPS: usize = 9;

fn spec() -> Spec {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/smoke.toml");
    Spec::load(&path, &[]).unwrap()
}

/// The available devices, by name.
fn devices() -> Vec<(&'static str, Device)> {
    let names = device::built_in().into_iter();
    names
        .filter_map(|name| Some((name, device::open(name).ok()?)))
        .collect()
}

/// The parity of the net that `make` makes, on every available device.
fn on_every_device(
    make: impl Fn(&CellSteps<'_>, &DeviceNet) -> Box<dyn SteppedNet>,
) -> Vec<(Parity, RoundingBaseline)> {
    let (spec, stop) = (spec(), StopFlag::default());
    let job = crate::compare::cell(&spec, &spec.arms[0], "flex");
    let baseline = baseline(&job, STEPS, &stop).unwrap().unwrap();
    let cell_steps = CellSteps::new(&job, STEPS).unwrap();
    let compared = devices().into_iter().map(|(_, device)| {
        let mut device_net = DeviceNet::new(&cell_steps, &device, DType::F32).unwrap();
        device_net.net = make(&cell_steps, &device_net);
        let parity = compare(&cell_steps, device_net, &baseline, &stop)
            .unwrap()
            .unwrap();
        (parity, baseline.clone())
    });
    compared.collect()
}

fn loses_a_row(cell_steps: &CellSteps<'_>, device_net: &DeviceNet) -> Box<dyn SteppedNet> {
    Box::new(LosesARow {
        net: SplitNet::new(cell_steps, device_net),
        from: 3,
    })
}

/// A comparison of all available devices, each with [`LosesARow`].
pub(crate) fn comparison() -> DeviceComparison {
    let mut spec = spec();
    spec.arms.truncate(1);
    let names: Vec<&str> = devices().into_iter().map(|(name, _)| name).collect();
    let infos = names.iter().map(|name| device::info(name).unwrap());
    let mut comparison = crate::compare::begin(&spec, infos.collect(), 0.5).unwrap();
    let arm = &mut comparison.arms[0];
    for (name, (parity, baseline)) in names.into_iter().zip(on_every_device(loses_a_row)) {
        arm.baseline = Some(baseline);
        arm.parity.push(OnDevice {
            device: name.to_owned(),
            outcome: Measured::Done(parity),
        });
    }
    comparison
}

/// A description of the first violation, per device.
fn found(make: impl Fn(&CellSteps<'_>, &DeviceNet) -> Box<dyn SteppedNet>) -> Vec<Option<String>> {
    let word = |(parity, baseline): (Parity, RoundingBaseline)| {
        let broken = first_violation(&parity, &baseline)?;
        let value = parity
            .forward
            .as_ref()
            .and_then(|forward| forward.value.as_ref());
        let value = value.map_or(String::new(), |p| format!(", {} of {}", p.point, p.path));
        let what = parity.distances.name(broken.quantity);
        Some(format!("step {}: {what}{value}", broken.step))
    };
    on_every_device(make).into_iter().map(word).collect()
}

fn all_say(found: &[Option<String>], expected: &str) {
    assert!(found.len() >= 2);
    for said in found {
        assert_eq!(said.as_deref(), Some(expected), "{found:?}");
    }
}

#[test]
fn correct_device_is_within_bounds() {
    let correct = |cell_steps: &CellSteps<'_>, device_net: &DeviceNet| -> Box<dyn SteppedNet> {
        Box::new(
            cell_steps
                .net(&device_net.batches, &device_net.device, device_net.dtype)
                .unwrap(),
        )
    };
    for said in found(correct) {
        assert_eq!(said, None);
    }
}

#[test]
fn optimizer_that_skips_a_remainder_is_found() {
    let forgets = |cell_steps: &CellSteps<'_>, device_net: &DeviceNet| -> Box<dyn SteppedNet> {
        Box::new(ForgetsTails {
            net: cell_steps
                .net(&device_net.batches, &device_net.device, device_net.dtype)
                .unwrap(),
            path: "blocks.0.linear.weight",
            row: 32,
            from: 7,
        })
    };
    all_say(&found(forgets), "step 7: value of blocks.0.linear.weight");
}

#[test]
fn backward_pass_that_misses_an_example_is_found() {
    all_say(&found(loses_a_row), "step 3: gradient of head.weight");
}

#[test]
fn forward_pass_without_a_bias_is_found() {
    // Biases start at zero, so the second step is the first that needs one.
    let drops = |cell_steps: &CellSteps<'_>, device_net: &DeviceNet| -> Box<dyn SteppedNet> {
        Box::new(DropsABias(SplitNet::new(cell_steps, device_net)))
    };
    all_say(
        &found(drops),
        "step 2: loss, output of the linear map of blocks.0",
    );
}
