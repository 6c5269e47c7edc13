//! How much work a cell is, so that jobs do not get too long to lose.

use crate::spec::{Arm, DataConfig, DataName, Length, TestSplit};

/// Most multiply-adds of a job, forward and backward: about half an hour on a core of these years.
const MOST: f64 = 6e13;

/// Cells of `arm` that may train in lockstep, at most `replicas`: a job is lost where a run is
/// stopped, so long cells train in smaller company. At least one.
pub(super) fn stack(arm: &Arm, replicas: usize) -> usize {
    let cells = (MOST / multiply_adds(arm)) as usize;
    cells.clamp(1, replicas.max(1))
}

/// Multiply-adds of one cell, the backward pass counting twice; evaluations are left aside. At least
/// one.
fn multiply_adds(arm: &Arm) -> f64 {
    let (input, classes) = match arm.data.name {
        DataName::Digits => ([8, 8, 1], 10),
        DataName::Mnist | DataName::FashionMnist | DataName::Kmnist => ([28, 28, 1], 10),
    };
    // A model that cannot be built fails soon, in any company.
    let cost = arm.model.cost(input, classes).unwrap_or_default();
    let examples = match arm.train.length {
        Length::Epochs(epochs) => epochs as f64 * training_examples(&arm.data),
        Length::Steps(steps) => (steps * arm.train.batch_size) as f64,
    };
    (3.0 * cost.multiply_adds as f64 * examples).max(1.0)
}

fn training_examples(data: &DataConfig) -> f64 {
    if let Some(subset) = data.subset {
        return subset as f64;
    }
    let all = match data.name {
        DataName::Digits => 1_797.0,
        DataName::Mnist | DataName::FashionMnist | DataName::Kmnist => 60_000.0,
    };
    let folded = data.name == DataName::Digits || data.test == TestSplit::Folds;
    let kept = match folded {
        true => 1.0 - 1.0 / data.folds as f64,
        false => 1.0,
    };
    all * kept * (1.0 - data.validation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fake::spec;
    use ablate_models::zoo::ModelConfig;

    fn arm() -> Arm {
        spec(&["a"], 1).arms.remove(0)
    }

    #[test]
    fn the_work_of_a_cell_is_its_examples_times_the_cost_of_one() {
        // 64 x 8 + 8 x 10 multiply-adds, two epochs of 0.8 x 0.8 x 1,797 digits.
        let expected = 3.0 * 592.0 * 2.0 * 0.64 * 1_797.0;
        assert!((multiply_adds(&arm()) / expected - 1.0).abs() < 1e-12);
        let mut steps = arm();
        steps.train.length = Length::Steps(10);
        assert_eq!(multiply_adds(&steps), 3.0 * 592.0 * 320.0);
    }

    #[test]
    fn short_cells_fill_their_stacks_and_long_ones_train_in_smaller_company() {
        assert_eq!(stack(&arm(), 10), 10);
        let mut long = arm();
        long.data.name = DataName::Mnist;
        long.data.validation = 0.0;
        let ModelConfig::Mlp(mlp) = &mut long.model else {
            unreachable!("the fake's model is an MLP")
        };
        mlp.hidden = vec![1024, 1024];
        long.train.length = Length::Epochs(50);
        // 1.86 million multiply-adds, three million images.
        assert_eq!(stack(&long, 10), 3);
        long.train.length = Length::Epochs(500);
        assert_eq!(stack(&long, 10), 1);
    }
}
