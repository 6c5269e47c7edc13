//! Which units a training step moves under dropout.

use crate::support::testing::{for_each_device, values};
use crate::support::training::{Optimizer, Rule, Trial};
use crate::support::{ByPath, INPUT, double, mlp, parameters};
use ablate_models::block::BlockConfig;
use ablate_models::dropout::{Dropout, DropoutConfig};
use ablate_models::{Activation, Pass, Start};
use burn::tensor::Tensor;

const UNITS: usize = 7;
const PLAIN: Rule = Rule::Sgd { momentum: 0.0 };
const MOMENTUM: Rule = Rule::Sgd { momentum: 0.9 };

/// Units of the first hidden block that are dropped for the whole batch at `step`.
fn dropped(start: &Start, rows: usize, step: u64) -> [bool; UNITS] {
    let dropout = Dropout::new(0.5, false, "blocks.0.dropout", start).expect("it drops");
    let ones: Tensor<3> = start.tensor(vec![1.0; rows * UNITS], [1, rows, UNITS]);
    let mask = values(dropout.forward(ones, 1, &Pass::train_at(step)));
    std::array::from_fn(|unit| mask.iter().skip(unit).step_by(UNITS).all(|&m| m == 0.0))
}

/// Incoming weights, bias and outgoing weights of a unit of the first hidden block.
fn of_unit(all: &ByPath, unit: usize) -> Vec<f64> {
    let incoming = &all["Mlp.blocks.0.linear.weight"];
    let outgoing = &all["Mlp.blocks.1.linear.weight"];
    let outputs = outgoing.len() / UNITS;
    let mut mine: Vec<f64> = incoming.iter().skip(unit).step_by(UNITS).copied().collect();
    mine.push(all["Mlp.blocks.0.linear.bias"][unit]);
    mine.extend(&outgoing[unit * outputs..(unit + 1) * outputs]);
    assert_eq!(mine.len(), INPUT.iter().product::<usize>() + 1 + outputs);
    mine
}

/// Trains on batches of one example; counts the dropped units that moved and those that did not.
fn moves_of_dropped_units(start: &Start, rule: Rule, decay: f64) -> [usize; 2] {
    let config = mlp(BlockConfig {
        activation: Activation::Sigmoid,
        dropout: DropoutConfig {
            rate: 0.5,
            ..DropoutConfig::default()
        },
        ..BlockConfig::default()
    });
    let mut trial = Trial::new(&config, start, Optimizer::new(rule, 0.1, decay));
    let (mut trained, mut moved) = ([false; UNITS], [0; 2]);
    for step in 0..8 {
        let before = parameters(&trial.model);
        let gradients = trial.step(1).gradients;
        let after = parameters(&trial.model);
        for (unit, dropped) in dropped(start, 1, step).into_iter().enumerate() {
            let gradient = of_unit(&gradients, unit);
            if !dropped {
                // A kept unit has a gradient unless the whole next block is dropped.
                trained[unit] |= gradient.iter().any(|&g| g != 0.0);
                continue;
            }
            assert!(gradient.iter().all(|&g| g == 0.0), "{gradient:?}");
            // Momentum and Adam move a dropped unit only if it had a gradient before.
            if trained[unit] {
                let same = of_unit(&before, unit) == of_unit(&after, unit);
                moved[usize::from(same)] += 1;
            }
        }
    }
    assert_eq!(trained, [true; UNITS]);
    moved
}

#[test]
fn dropped_units_move_except_under_plain_sgd() {
    for_each_device(|device| {
        let start = double(device);
        let [moved, still] = moves_of_dropped_units(&start, PLAIN, 0.0);
        assert!(
            moved == 0 && still > 10,
            "plain: {moved} moved, {still} did not"
        );
        for (rule, decay) in [(MOMENTUM, 0.0), (Rule::Adam, 0.0), (PLAIN, 0.01)] {
            let [moved, still] = moves_of_dropped_units(&start, rule, decay);
            assert!(
                moved > 10 && still == 0,
                "{rule:?}: {moved} moved, {still} did not"
            );
        }
    });
}

#[test]
fn no_unit_is_dropped_for_a_whole_batch_of_32() {
    for_each_device(|device| {
        let start = Start::new([1], device);
        let count = |rows: usize| -> usize {
            let units = (0..1000).map(|step| dropped(&start, rows, step));
            units.flatten().filter(|&dropped| dropped).count()
        };
        assert_eq!(count(32), 0);
        // Both of two examples drop a unit with probability 1/4.
        let n = (1000 * UNITS) as f64;
        let (expected, deviation) = (n / 4.0, (n * 3.0 / 16.0).sqrt());
        let found = count(2) as f64;
        assert!((found - expected).abs() < 5.0 * deviation, "{found} of {n}");
    });
}
