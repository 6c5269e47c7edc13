//! Moving a batch norm's learned scale into the weights of the next layer, exactly.
//!
//! For a positively homogeneous activation `f`, `W f(gamma z + beta)` equals
//! `(W diag|gamma|) f(sign(gamma) z + beta / |gamma|)`. Pooling, dropout and flattening commute
//! with it; a residual connection does not.

use crate::block::{Position, Tail};
use crate::norm::{Affine, Norm};
use crate::zoo::Model;
use burn::module::Param;
use burn::tensor::Tensor;

/// Why a net has no fold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// A residual connection adds unscaled values to scaled ones.
    #[error("a residual connection stands between the scale and the next layer")]
    Residual,
    /// The norm does not stand directly before the activation.
    #[error("the norm does not stand before the activation")]
    Position,
    /// No block learns a scale.
    #[error("no block learns a scale in a batch norm")]
    NoScale,
}

/// The same net with every learned scale replaced by its sign and its size moved into the next
/// layer. Where the activation is not positively homogeneous the result is another function, and
/// the difference measures by how much. A scale of exactly zero stays where it is.
///
/// # Errors
/// If the net's shape rules a fold out.
pub fn fold_scales(mut model: Model) -> Result<Model, FoldError> {
    let mut folded = false;
    let (mut tails, mut weights) = parts(&mut model)?;
    for (tail, weight) in tails.iter_mut().zip(&mut weights[1..]) {
        let position = tail.position;
        let Some(Norm::Batch(norm)) = &mut tail.norm else {
            continue;
        };
        if norm.affine.scale.is_none() {
            continue;
        }
        if position != Position::Before {
            return Err(FoldError::Position);
        }
        fold_one(&mut norm.affine, weight);
        folded = true;
    }
    if folded {
        Ok(model)
    } else {
        Err(FoldError::NoScale)
    }
}

/// The tails of all blocks, and the weights of all layers; weight `i + 1` follows tail `i`.
type Parts<'a> = (Vec<&'a mut Tail>, Vec<&'a mut Param<Tensor<3>>>);

fn parts(model: &mut Model) -> Result<Parts<'_>, FoldError> {
    let (mut tails, mut weights) = (Vec::new(), Vec::new());
    let (dense, head) = match model {
        Model::Mlp(m) => (&mut m.blocks, &mut m.head),
        Model::Cnn(m) => {
            for stage in &mut m.stages {
                if stage.residual {
                    return Err(FoldError::Residual);
                }
                for block in &mut stage.blocks {
                    weights.push(&mut block.conv.weight);
                    tails.push(&mut block.tail);
                }
            }
            (&mut m.dense, &mut m.head)
        }
    };
    for block in dense {
        weights.push(&mut block.linear.weight);
        tails.push(&mut block.tail);
    }
    weights.push(&mut head.weight);
    Ok((tails, weights))
}

fn fold_one(affine: &mut Affine, weight: &mut Param<Tensor<3>>) {
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
        // Rows run over (position, channel) with the channel fastest, in every layer.
        let w: Tensor<4> = w.reshape([r, rows / c, c, outputs]);
        (w * size.reshape([r, 1, c, 1])).reshape([r, rows, outputs])
    });
}
