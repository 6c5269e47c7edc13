//! How well a gradient predicts loss and gradients after a step (Santurkar et al. 2018, "How does
//! batch normalization help optimization?", sections 2.2 and 3.1).
//!
//! Measured after each epoch on the first batch of the next epoch: how much loss and gradient
//! change along the gradient, and for each layer, how much its gradient changes when the earlier
//! layers take their step (internal covariate shift). Batch statistics are used and dropout is off.

use super::{ProbeContext, ProbeHooks, ProbeResults};
use crate::train::net::host_f64;
use crate::train::parameters::{gradients, hidden_blocks, map_parameters, values};
use ablate_models::Pass;
use ablate_models::zoo::Model;
use burn::tensor::{Int, Tensor};

/// Step lengths along the gradient, in learning rates.
const LENGTHS: [f64; 4] = [0.5, 1.0, 2.0, 4.0];

#[derive(Default)]
pub(super) struct GradientLandscape {
    epochs: usize,
}

impl ProbeHooks for GradientLandscape {
    fn epoch_done(&mut self, context: &ProbeContext<'_>, results: &mut [ProbeResults]) {
        self.epochs += 1;
        let rates = context.job.learning_rates();
        let orders = context.batches.orders(self.epochs);
        let batch = context
            .batches
            .train(&orders, 0, context.job.train.batch_size);
        let here = LossPoint::at(context.net.model().clone(), &batch);
        along_gradient(&here, &rates, &batch, results);
        covariate_shift(&here, &rates, &batch, results);
    }
}

type Batch = (Tensor<3>, Tensor<2, Int>);

/// Loss and gradients of one batch at given parameters.
struct LossPoint {
    model: Model,
    /// Loss, `[replicas]`.
    losses: Vec<f64>,
    /// Gradient of every parameter, `[replicas, elements]`.
    gradients_at_point: Vec<Tensor<2>>,
    /// Gradient of the weights of every block, `[replicas, elements]`.
    weight_gradients: Vec<Tensor<2>>,
}

impl LossPoint {
    fn at(model: Model, (pixels, labels): &Batch) -> Self {
        let logits = model.forward(pixels.clone(), &Pass::evaluate_on_batch());
        let losses = ablate_kernels::cross_entropy(logits, labels.clone());
        let all = losses.clone().sum().backward();
        let weight_gradients = hidden_blocks(&model).filter_map(|block| {
            let gradient = block.weight.val().grad(&all)?;
            let [replicas, rows, outputs] = gradient.dims();
            Some(gradient.reshape([replicas, rows * outputs]))
        });
        Self {
            weight_gradients: weight_gradients.collect(),
            gradients_at_point: gradients(&model, &all)
                .into_iter()
                .map(|(_, g)| g)
                .collect(),
            losses: host_f64(losses.inner()),
            model,
        }
    }

    /// Returns the model after a step of `length` learning rates against the gradient.
    fn step(&self, length: f64, rates: &[f64]) -> Model {
        map_parameters(self.model.clone(), |i, _, value| {
            let rates: Vec<f64> = rates.iter().map(|rate| rate * length).collect();
            let rates = Tensor::<1>::from_data(rates.as_slice(), (&value.device(), value.dtype()));
            value - self.gradients_at_point[i].clone() * rates.unsqueeze_dim(1)
        })
    }
}

/// Records the changes of loss and gradient along the gradient.
fn along_gradient(here: &LossPoint, rates: &[f64], batch: &Batch, results: &mut [ProbeResults]) {
    let size = norms(&here.gradients_at_point);
    let points = LENGTHS.map(|length| LossPoint::at(here.step(length, rates), batch));
    let change = points
        .each_ref()
        .map(|point| distances(&point.gradients_at_point, &here.gradients_at_point));
    for (r, result) in results.iter_mut().enumerate() {
        let losses = points.each_ref().map(|point| point.losses[r]);
        let largest = |values: [f64; LENGTHS.len()]| values.into_iter().fold(f64::MIN, f64::max);
        let smallest = losses.into_iter().fold(f64::MAX, f64::min);
        let distance = |i: usize| LENGTHS[i] * rates[r] * size[r];
        let smoothness = std::array::from_fn(|i| change[i][r] / distance(i));
        let change = largest(change.each_ref().map(|all| all[r]));
        result.push_trace("loss_range", largest(losses) - smallest);
        result.push_trace("gradient_change", change);
        result.push_trace("relative_gradient_change", change / size[r]);
        result.push_trace("smoothness", largest(smoothness));
    }
}

/// Records the change of each block's weight gradient when the earlier blocks take their step.
fn covariate_shift(here: &LossPoint, rates: &[f64], batch: &Batch, results: &mut [ProbeResults]) {
    let next = here.step(1.0, rates);
    let moved: Vec<Tensor<2>> = values(&next).into_iter().map(|(_, v)| v).collect();
    let paths: Vec<String> = hidden_blocks(&here.model)
        .map(|block| block.path())
        .collect();
    for (i, path) in paths.iter().enumerate() {
        let is_earlier = |parameter: &str| {
            let block = |path: &String| parameter.starts_with(&format!("{path}."));
            paths[..i].iter().any(block)
        };
        let mixed = map_parameters(here.model.clone(), |index, parameter, value| {
            if is_earlier(parameter) {
                moved[index].clone()
            } else {
                value
            }
        });
        let old = &here.weight_gradients[i..=i];
        let new = &LossPoint::at(mixed, batch).weight_gradients[i..=i];
        let (apart, products) = (distances(new, old), products(new, old));
        let (a, b) = (norms(new), norms(old));
        for (r, result) in results.iter_mut().enumerate() {
            result.push_trace(&format!("covariate_shift.{path}"), apart[r]);
            let cosine = products[r] / (a[r] * b[r]);
            result.push_trace(&format!("covariate_cosine.{path}"), cosine);
        }
    }
}

/// Inner product of two lists of parameters, `[replicas]`.
fn products(a: &[Tensor<2>], b: &[Tensor<2>]) -> Vec<f64> {
    let each = a.iter().zip(b).map(|(a, b)| {
        let products: Tensor<2> = a.clone() * b.clone();
        host_f64(products.sum_dim(1))
    });
    let add = |mut sum: Vec<f64>, new: Vec<f64>| {
        sum.resize(new.len(), 0.0);
        sum.iter_mut().zip(new).for_each(|(s, x)| *s += x);
        sum
    };
    each.fold(Vec::new(), add)
}

fn norms(a: &[Tensor<2>]) -> Vec<f64> {
    products(a, a).into_iter().map(f64::sqrt).collect()
}

fn distances(a: &[Tensor<2>], b: &[Tensor<2>]) -> Vec<f64> {
    let differences = a.iter().zip(b).map(|(a, b)| a.clone() - b.clone());
    norms(&differences.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::fixture::{self, assert_near};
    use ablate_models::Activation;
    use ablate_models::norm::NormConfig;
    use ablate_models::zoo::ModelConfig;

    const RATE: f64 = 0.1;

    /// Tolerance: traces are rounded to six digits.
    const TOLERANCE: f64 = 1e-5;

    fn results(model: &ModelConfig, weights: &[(&str, &[f64])]) -> ProbeResults {
        let batches = fixture::batches(&[[2, 0]], &[0]);
        let job = fixture::job(model, 1);
        let net = fixture::net(&job, weights);
        let mut results = [ProbeResults::default()];
        let context = ProbeContext::new(&job, &net, &batches);
        GradientLandscape::default().epoch_done(&context, &mut results);
        let [results] = results;
        results
    }

    /// A linear classifier with zero weights on one image `(2, 0)` of class 0. A step of length `a`
    /// separates the logits by `a (|x|^2 + 1)`, and multiplies the gradient by `2 sigmoid(-5 a)`.
    #[test]
    fn linear_classifier_matches_hand_computation() {
        let results = results(&fixture::mlp(&[], NormConfig::None, Activation::Relu), &[]);
        let loss = |a: f64| (-5.0 * a).exp().ln_1p();
        let range = loss(0.5 * RATE) - loss(4.0 * RATE);
        let of = |name: &str| results.trace(name)[0];
        assert_near(of("loss_range"), range, TOLERANCE);
        let change = |a: f64| (2.5 * a).tanh();
        assert_near(
            of("relative_gradient_change"),
            change(4.0 * RATE),
            TOLERANCE,
        );
        // The gradient is half of (x, 1) for one class, and its negative for the other.
        let size = (2.0f64 * 5.0 / 4.0).sqrt();
        assert_near(of("gradient_change"), change(4.0 * RATE) * size, TOLERANCE);
        // The change per distance is largest for the shortest step.
        assert_near(
            of("smoothness"),
            change(0.5 * RATE) / (0.5 * RATE),
            TOLERANCE,
        );
    }

    /// Two linear units in sequence, and a head with weights 1 and -1: the logits are `h` and `-h`
    /// with `h = 2 w1 w2`, and the loss has slope `-2 sigmoid(-2 h)` in `h`.
    #[test]
    fn covariate_shift_matches_hand_computation() {
        let (first, second) = (0.4, 0.3);
        let results = results(
            &fixture::mlp(&[1, 1], NormConfig::None, Activation::Linear),
            &[
                ("blocks.0.linear.weight", &[first, 0.0]),
                ("blocks.1.linear.weight", &[second]),
                ("head.weight", &[1.0, -1.0]),
            ],
        );
        let slope = |w1: f64| -2.0 / (1.0 + (2.0 * 2.0 * w1 * second).exp());
        let gradient = |w1: f64| slope(w1) * 2.0 * w1;
        let moved = first - RATE * slope(first) * 2.0 * second;
        let shift = (gradient(moved) - gradient(first)).abs();
        assert_near(
            results.trace("covariate_shift.blocks.1")[0],
            shift,
            TOLERANCE,
        );
        assert_near(
            results.trace("covariate_cosine.blocks.1")[0],
            1.0,
            TOLERANCE,
        );
        // There is no layer before the first one.
        assert_eq!(results.trace("covariate_shift.blocks.0"), [0.0]);
    }
}
