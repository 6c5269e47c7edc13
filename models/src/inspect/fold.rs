//! Folding: moving the learned scale or center of a norm into the next layer.
//!
//! For a norm before a positively homogeneous activation `f`, `W f(gamma z + beta)` equals
//! `(W diag|gamma|) f(sign(gamma) z + beta / |gamma|)`, so scales fold exactly. For a norm after the
//! activation, scales fold with every activation, and centers fold into the bias of the next layer,
//! except into a convolution with zero padding: the padding has no center. Pooling, flattening and
//! dropout in evaluation commute with folding; a residual connection does not.

use crate::block::{Epilogue, Position};
use crate::norm::Norm;
use crate::zoo::Model;
use burn::module::{Param, ParamId};
use burn::tensor::Tensor;

/// Why a model cannot be folded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// A residual connection adds unscaled values to scaled ones.
    #[error("a residual connection lies between the norm and the next layer")]
    Residual,
    /// The norm is before the activation instead of after it, or the reverse.
    #[error("the norm is not on the expected side of the activation")]
    Position,
    /// No norm learns the parameter that would move.
    #[error("no norm in the model learns a {0}")]
    Nothing(&'static str),
    /// The model is not a chain of blocks of the zoo.
    #[error("the model is not a chain of blocks of the zoo")]
    Custom,
}

/// Folds the absolute value of every scale into the next layer, for norms before the activation.
///
/// Each scale is replaced by its sign; a scale of exactly zero stays. The function of the model is
/// unchanged if the activation is positively homogeneous. For other activations the change in output
/// measures how far the activation is from homogeneous.
///
/// # Errors
/// If there is a residual connection, no scale, or a norm after the activation.
pub fn fold_scales(model: Model) -> Result<Model, FoldError> {
    fold(model, Position::Before, Part::Scale)
}

/// Folds the absolute value of every scale into the next layer, for norms after the activation.
///
/// # Errors
/// If there is a residual connection, no scale, or a norm before the activation.
pub fn fold_scales_after(model: Model) -> Result<Model, FoldError> {
    fold(model, Position::After, Part::Scale)
}

/// Folds every center into the bias of the next layer, for norms after the activation.
///
/// Each center is replaced by zero. The function of the model is unchanged unless the next layer is a
/// convolution with zero padding.
///
/// # Errors
/// If there is a residual connection, no center, or a norm before the activation.
pub fn fold_centers_after(model: Model) -> Result<Model, FoldError> {
    fold(model, Position::After, Part::Center)
}

/// The parameter that moves.
#[derive(Clone, Copy)]
enum Part {
    Scale,
    Center,
}

fn fold(mut model: Model, position: Position, part: Part) -> Result<Model, FoldError> {
    let mut folded = false;
    let (epilogues, mut layers) = parts(&mut model)?;
    for (epilogue, next) in epilogues.into_iter().zip(&mut layers[1..]) {
        let at = epilogue.position;
        let Some(norm) = &mut epilogue.norm else {
            continue;
        };
        let learned = match part {
            Part::Scale => norm.affine().scale.is_some(),
            Part::Center => norm.affine().center.is_some(),
        };
        if !learned {
            continue;
        }
        if at != position {
            return Err(FoldError::Position);
        }
        match part {
            Part::Scale => move_scale(norm, next.weight),
            Part::Center => move_center(norm, next),
        }
        folded = true;
    }
    match (folded, part) {
        (true, _) => Ok(model),
        (false, Part::Scale) => Err(FoldError::Nothing("scale")),
        (false, Part::Center) => Err(FoldError::Nothing("center")),
    }
}

/// Weights and bias of a layer.
struct Layer<'a> {
    weight: &'a mut Param<Tensor<3>>,
    bias: &'a mut Option<Param<Tensor<2>>>,
}

/// The epilogues of all blocks, and all layers; layer `i + 1` follows epilogue `i`.
type Parts<'a> = (Vec<&'a mut Epilogue>, Vec<Layer<'a>>);

fn parts(model: &mut Model) -> Result<Parts<'_>, FoldError> {
    let (mut epilogues, mut layers) = (Vec::new(), Vec::new());
    let of_zoo = model.parts_mut().ok_or(FoldError::Custom)?;
    for stage in of_zoo.stages {
        if stage.residual {
            return Err(FoldError::Residual);
        }
        for block in &mut stage.blocks {
            layers.push(Layer {
                weight: &mut block.conv.weight,
                bias: &mut block.conv.bias,
            });
            epilogues.push(&mut block.epilogue);
        }
    }
    let head = of_zoo.head;
    for block in of_zoo.dense {
        layers.push(Layer {
            weight: &mut block.linear.weight,
            bias: &mut block.linear.bias,
        });
        epilogues.push(&mut block.epilogue);
    }
    layers.push(Layer {
        weight: &mut head.weight,
        bias: &mut head.bias,
    });
    Ok((epilogues, layers))
}

fn move_scale(norm: &mut Norm, weight: &mut Param<Tensor<3>>) {
    let affine = norm.affine_mut();
    let Some(scale) = affine.scale.take() else {
        return;
    };
    let gamma = scale.val();
    let [r, c] = gamma.dims();
    let zero = gamma.clone().equal_scalar(0.0);
    let size = gamma.clone().abs().mask_fill(zero, 1.0);
    affine.scale = Some(scale.map(|gamma| gamma / size.clone()));
    if let Some(center) = affine.center.take() {
        affine.center = Some(center.map(|beta| beta / size.clone()));
    }
    *weight = weight.clone().map(|w| {
        let [_, rows, outputs] = w.dims();
        // In every layer, rows are indexed by (position, channel), channel fastest.
        let w: Tensor<4> = w.reshape([r, rows / c, c, outputs]);
        (w * size.reshape([r, 1, c, 1])).reshape([r, rows, outputs])
    });
}

fn move_center(norm: &mut Norm, next: &mut Layer) {
    let affine = norm.affine_mut();
    let Some(center) = affine.center.take() else {
        return;
    };
    let beta = center.val();
    let [r, c] = beta.dims();
    let w = next.weight.val();
    let [_, rows, outputs] = w.dims();
    let w: Tensor<4> = w.reshape([r, rows / c, c, outputs]);
    let offset: Tensor<2> = (w.sum_dim(1) * beta.reshape([r, 1, c, 1]))
        .sum_dim(2)
        .reshape([r, outputs]);
    *next.bias = Some(match next.bias.take() {
        Some(bias) => bias.map(|b| b + offset),
        None => Param::initialized(ParamId::new(), offset),
    });
    affine.center = Some(center.map(|beta| beta.zeros_like()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{Bias, BlockConfig};
    use crate::mlp::MlpConfig;
    use crate::norm::{AffineConfig, NormConfig};
    use crate::pass::Pass;
    use crate::testing::{assert_close, for_each_device, values};
    use crate::{ConfigError, Start};
    use ablate_kernels::activation::Activation;

    /// A net of two hidden units and one output, with scales 2 and -3, centers 1 and 6, identity weights
    /// and output weights 5 and 7.
    fn two_units(position: Position, start: &Start) -> Result<Model, ConfigError> {
        let config = MlpConfig {
            hidden: vec![2],
            block: BlockConfig {
                activation: Activation::Relu,
                norm: NormConfig::Affine(AffineConfig::default()),
                position,
                bias: Bias::Off,
                ..BlockConfig::default()
            },
            last_block: None,
        };
        let mut mlp = config.init(2, 1, start)?;
        let block = &mut mlp.blocks[0];
        let identity = start.tensor(vec![1.0, 0.0, 0.0, 1.0], [1, 2, 2]);
        block.linear.weight = block.linear.weight.clone().map(|_| identity);
        let affine = block.epilogue.norm.as_mut().expect("a norm").affine_mut();
        let row = |list: [f64; 2]| start.tensor::<2>(list.to_vec(), [1, 2]);
        affine.scale = affine.scale.take().map(|p| p.map(|_| row([2.0, -3.0])));
        affine.center = affine.center.take().map(|p| p.map(|_| row([1.0, 6.0])));
        let head = start.tensor(vec![5.0, 7.0], [1, 2, 1]);
        mlp.head.weight = mlp.head.weight.clone().map(|_| head);
        Ok(Model::Mlp(mlp))
    }

    fn forward(model: &Model, start: &Start) -> f64 {
        let x = start.tensor(vec![4.0, 1.0], [1, 1, 2]);
        values(model.forward(x, &Pass::evaluate()))[0]
    }

    fn learned(model: &Model) -> [Vec<f64>; 4] {
        let Model::Mlp(mlp) = model else {
            panic!("not an MLP");
        };
        let affine = mlp.blocks[0]
            .epilogue
            .norm
            .as_ref()
            .expect("a norm")
            .affine();
        let of = |p: &Option<Param<Tensor<2>>>| values(p.as_ref().expect("learned").val());
        [
            of(&affine.scale),
            of(&affine.center),
            values(mlp.head.weight.val()),
            of(&mlp.head.bias),
        ]
    }

    #[test]
    fn two_unit_net_folds_as_computed_by_hand() {
        for_each_device(|device| {
            let start = Start::new([1], device).double();
            // Before: 5 relu(2 * 4 + 1) + 7 relu(-3 * 1 + 6) = 5 * 9 + 7 * 3 = 66.
            let before = two_units(Position::Before, &start).expect("can be built");
            assert_eq!(forward(&before, &start), 66.0);
            // 10 relu(4 + 1/2) + 21 relu(-1 + 2) = 45 + 21.
            let folded = fold_scales(before).expect("it has scales");
            let expected = [vec![1.0, -1.0], vec![0.5, 2.0], vec![10.0, 21.0], vec![0.0]];
            assert_eq!(learned(&folded), expected);
            assert_close(&[forward(&folded, &start)], &[66.0], 1e-13);

            // After: 5 (2 * 4 + 1) + 7 (-3 * 1 + 6) = 66 as well, because the input is positive.
            let after = two_units(Position::After, &start).expect("can be built");
            assert_eq!(forward(&after, &start), 66.0);
            let folded = fold_scales_after(after.clone()).expect("it has scales");
            assert_eq!(learned(&folded), expected);
            assert_close(&[forward(&folded, &start)], &[66.0], 1e-13);
            // 10 * 4 + 21 * -1 + (10 / 2 + 21 * 2) = 19 + 47.
            let both = fold_centers_after(folded).expect("it has centers");
            let expected = [
                vec![1.0, -1.0],
                vec![0.0, 0.0],
                vec![10.0, 21.0],
                vec![47.0],
            ];
            assert_eq!(learned(&both), expected);
            assert_close(&[forward(&both, &start)], &[66.0], 1e-13);

            assert_eq!(
                fold_scales(after.clone()).map(drop),
                Err(FoldError::Position)
            );
            let before = two_units(Position::Before, &start).expect("can be built");
            assert_eq!(
                fold_centers_after(before).map(drop),
                Err(FoldError::Position)
            );
        });
    }
}
