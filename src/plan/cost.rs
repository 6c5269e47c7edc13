//! Cost of a cell, which limits the number of cells per job.

use crate::data;
use crate::device;
use crate::recipe::{DataConfig, Length, NetRecipe};
use crate::spec::Arm;
use ablate_models::zoo::Cost;

/// Largest number of multiply-adds per job, forward and backward: about half an hour on one core.
const MOST: f64 = 6e13;

/// Largest number of parameters per stack on a CPU. With gradients and two moments a parameter takes
/// 16 bytes, and every step reads all of them. A stack that exceeds a core's share of the caches is
/// slower than its nets one after the other.
const RESIDENT: usize = 1 << 19;

/// Number of cells of `arm` per stack on `device`, from 1 to `replicas`. Long cells get smaller
/// stacks, because a stopped run loses its unfinished jobs.
/// A program trains one cell at a time.
pub(super) fn stack(arm: &Arm, device: &str, replicas: usize) -> usize {
    let Some(net) = arm.net() else {
        return 1;
    };
    let cost = cost(net);
    let cells = (MOST / multiply_adds(net, cost)) as usize;
    cells.clamp(1, company(cost, device, replicas))
}

/// Number of nets per stack, from 1 to `replicas`, that trains fastest on `device`.
pub fn company(cost: Cost, device: &str, replicas: usize) -> usize {
    let most = match device::is_cpu(device) {
        true => RESIDENT / cost.parameters.max(1),
        false => replicas,
    };
    most.clamp(1, replicas.max(1))
}

/// Cost of one net; 0 for a model that cannot be built, which fails at once.
fn cost(net: &NetRecipe) -> Cost {
    let entry = data::entry_of(&net.data);
    let (input, classes) = (entry.image_shape(), entry.classes());
    net.model.cost(input, classes).unwrap_or_default()
}

/// Multiply-adds of one cell, at least 1. The backward pass counts twice, evaluations do not count.
fn multiply_adds(net: &NetRecipe, cost: Cost) -> f64 {
    let examples = match net.train.length {
        Length::Epochs(epochs) => epochs as f64 * training_examples(&net.data),
        Length::Steps(steps) => (steps * net.train.batch_size) as f64,
    };
    (3.0 * cost.multiply_adds as f64 * examples).max(1.0)
}

fn training_examples(config: &DataConfig) -> f64 {
    if let Some(subset) = config.subset {
        return subset as f64;
    }
    let all = data::entry_of(config).train_images() as f64;
    let kept = match data::tests_on_folds(config) {
        true => 1.0 - 1.0 / config.folds as f64,
        false => 1.0,
    };
    all * kept * (1.0 - config.validation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::DataName;
    use crate::run::fake::spec;
    use ablate_models::zoo::ModelConfig;

    fn arm() -> Arm {
        spec(&["a"], 1).arms.remove(0)
    }

    #[test]
    fn work_is_examples_times_cost_per_example() {
        // 64 x 8 + 8 x 10 multiply-adds, two epochs of 0.8 x 0.8 x 1,797 digits.
        let expected = 3.0 * 592.0 * 2.0 * 0.64 * 1_797.0;
        let net = arm().net().expect("a net").clone();
        assert!((multiply_adds(&net, cost(&net)) / expected - 1.0).abs() < 1e-12);
        let mut steps = net;
        steps.train.length = Length::Steps(10);
        assert_eq!(multiply_adds(&steps, cost(&steps)), 3.0 * 592.0 * 320.0);
    }

    #[test]
    fn long_cells_get_smaller_stacks() {
        assert_eq!(stack(&arm(), "flex", 10), 10);
        let mut long = arm();
        let net = long.recipe.net_mut().expect("a net");
        net.data.name = DataName::Mnist;
        net.data.validation = 0.0;
        let ModelConfig::Mlp(mlp) = &mut net.model else {
            unreachable!("the fake's model is an MLP")
        };
        mlp.hidden = vec![1024, 1024];
        net.train.length = Length::Epochs(50);
        // 1.86 million multiply-adds, three million images.
        assert_eq!(stack(&long, "wgpu", 10), 3);
        let net = long.recipe.net_mut().expect("a net");
        net.train.length = Length::Epochs(500);
        assert_eq!(stack(&long, "wgpu", 10), 1);
    }

    #[test]
    fn cpu_stacks_fit_the_caches() {
        let cost = |parameters| Cost {
            parameters,
            ..Cost::default()
        };
        for device in ["flex", "ndarray"] {
            assert_eq!(company(cost(1_000), device, 10), 10);
            assert_eq!(company(cost(100_000), device, 10), 5);
            assert_eq!(company(cost(1_000_000), device, 10), 1);
            assert_eq!(company(cost(0), device, 0), 1);
        }
        assert_eq!(company(cost(1_000_000), "wgpu:0", 10), 10);
    }
}
