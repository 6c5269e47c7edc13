//! RMSprop (Hinton, Srivastava and Swersky 2012, lecture 6e), in the form of PyTorch.

use crate::recipe::RmsProp;
use burn::tensor::{Tensor, TensorData};

/// New values, velocity and mean square of a parameter after one step. `rates` has one learning rate, or
/// one per replica; `penalty` times the value is added to the gradient. Without momentum the velocity is
/// the scaled gradient of this step.
pub(super) fn step<const D: usize>(
    [value, velocity, square]: [Tensor<D>; 3],
    gradient: Tensor<D>,
    config: &RmsProp,
    rates: &[f64],
    penalty: f64,
) -> [Tensor<D>; 3] {
    let gradient = match penalty {
        0.0 => gradient,
        penalty => gradient + value.clone() * penalty,
    };
    let new = gradient.clone().square() * (1.0 - config.decay);
    let square = square * config.decay + new;
    let scaled = gradient / (square.clone().sqrt() + config.epsilon);
    let velocity = match config.momentum {
        0.0 => scaled,
        momentum => velocity * momentum + scaled,
    };
    let mut shape = [1; D];
    shape[0] = rates.len();
    let options = (&value.device(), value.dtype());
    let rates = TensorData::new(rates.to_vec(), shape).convert_dtype(value.dtype());
    let rates = Tensor::<D>::from_data(rates, options);
    let value = value - velocity.clone() * rates;
    [value, velocity, square]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::net::host_f64;
    use burn::tensor::DType;

    /// With momentum 0 and 0.5: both parameters at rate 0.1, then at 0.01.
    const EXPECTED: [[f64; 4]; 2] = [
        [
            0.407_351_655_781_798_8,
            -1.872_706_221_985_471_8,
            0.938_626_843_548_100_3,
            -1.985_585_126_403_550_2,
        ],
        [
            0.026_811_333_181_342_14,
            -1.592_204_446_619_011_7,
            0.900_014_519_411_141,
            -1.956_771_715_066_102,
        ],
    ];

    // import torch; torch.set_default_dtype(torch.float64)
    // p, q = (torch.nn.Parameter(torch.tensor([1., -2.])) for _ in range(2))
    // o = torch.optim.RMSprop([{'params': [p], 'lr': .1}, {'params': [q], 'lr': .01}],
    //                         alpha=.9, eps=1e-3, momentum=MOMENTUM, weight_decay=.25)
    // for g in ([.5, -1.], [2., 0.], [-.25, 3.]):
    //     p.grad = torch.tensor(g); q.grad = torch.tensor(g); o.step()
    // print(p.data, q.data)
    #[test]
    fn steps_match_pytorch() {
        let device = crate::device::open("flex").unwrap();
        let tensor = |values: [f64; 4]| {
            let data = TensorData::new(values.to_vec(), [2, 2]);
            Tensor::<2>::from_data(data, (&device, DType::F64))
        };
        for (momentum, expected) in [(0.0, EXPECTED[0]), (0.5, EXPECTED[1])] {
            let config = RmsProp {
                decay: 0.9,
                epsilon: 1e-3,
                momentum,
            };
            let zeros = || tensor([0.0; 4]);
            let mut state = [tensor([1.0, -2.0, 1.0, -2.0]), zeros(), zeros()];
            for [a, b] in [[0.5, -1.0], [2.0, 0.0], [-0.25, 3.0]] {
                state = step(state, tensor([a, b, a, b]), &config, &[0.1, 0.01], 0.25);
            }
            let [value, ..] = state;
            let found = host_f64(value);
            let distance = |(a, b): (&f64, f64)| (a - b).abs();
            assert!(
                found.iter().zip(expected).map(distance).all(|d| d < 1e-14),
                "{found:?}"
            );
        }
    }
}
