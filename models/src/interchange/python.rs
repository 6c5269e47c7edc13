//! A model as Python code.

use super::layers::{Layer, LayerKind, NormKind};
use ablate_kernels::{Activation, Padding};
use std::fmt::Write;

/// What a model with residual parts needs beside PyTorch.
const RESIDUAL: &str = "\
class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


";

/// What a model needs beside PyTorch if the shape changes in a residual part.
const PROJECTED: &str = "\
class Projected(nn.ModuleList):
    def forward(self, x):
        return self[1](x) + self[0](x)


";

/// `layers` as an `nn.Sequential` called `model`.
pub(super) fn module(layers: &[Layer]) -> String {
    let is_residual = |layer: &Layer| matches!(layer.kind, LayerKind::Residual(_));
    let is_projected = |layer: &Layer| matches!(layer.kind, LayerKind::Projected(_));
    let mut out = "from torch import nn\n\n\n".to_owned();
    if layers.iter().any(is_residual) {
        out.push_str(RESIDUAL);
    }
    if layers.iter().any(is_projected) {
        out.push_str(PROJECTED);
    }
    out.push_str("model = nn.Sequential(\n");
    for layer in layers {
        line(&mut out, layer, 1);
    }
    out + ")\n"
}

fn line(out: &mut String, layer: &Layer, depth: usize) {
    let indent = "    ".repeat(depth);
    if let LayerKind::Residual(layers) = &layer.kind {
        let _ = writeln!(out, "{indent}Residual(  # {}", layer.name);
        for layer in layers {
            line(out, layer, depth + 1);
        }
        let _ = writeln!(out, "{indent}),");
        return;
    }
    if let LayerKind::Projected(layers) = &layer.kind
        && let Some((projection, layers)) = layers.split_last()
    {
        let _ = writeln!(out, "{indent}Projected([  # {}", layer.name);
        let _ = writeln!(out, "{indent}    nn.Sequential(  # {}.0", layer.name);
        for layer in layers {
            line(out, layer, depth + 2);
        }
        let _ = writeln!(out, "{indent}    ),");
        line(out, projection, depth + 1);
        let _ = writeln!(out, "{indent}]),");
        return;
    }
    let _ = writeln!(out, "{indent}{},  # {}", layer.call(), layer.name);
}

impl Layer {
    /// The call that makes the layer in PyTorch; for a residual part, its name only.
    pub fn call(&self) -> String {
        match &self.kind {
            LayerKind::Flatten => "nn.Flatten()".to_owned(),
            LayerKind::Unflatten => format!("nn.Unflatten(1, ({}, 1))", self.output[0]),
            LayerKind::Dense {
                inputs,
                outputs,
                bias,
                ..
            } => format!("nn.Linear({inputs}, {outputs}{})", no_bias(*bias)),
            LayerKind::Pad { before, after } => {
                format!("nn.ZeroPad2d(({before}, {after}, {before}, {after}))")
            }
            LayerKind::Convolution {
                inputs,
                outputs,
                geometry,
                bias,
            } => {
                let mut call = format!("nn.Conv2d({inputs}, {outputs}, {}", geometry.kernel);
                if geometry.stride != 1 {
                    let _ = write!(call, ", stride={}", geometry.stride);
                }
                if geometry.padding == Padding::Same && geometry.kernel > 1 {
                    let _ = write!(call, ", padding={}", geometry.around().0);
                }
                call + no_bias(*bias) + ")"
            }
            LayerKind::Norm {
                norm,
                channels,
                scale,
                center,
                on_images,
            } => norm.call(*channels, [*scale, *center], *on_images),
            LayerKind::Activation(activation) => activation_call(*activation).to_owned(),
            LayerKind::Dropout { rate, spatial } => match spatial {
                true => format!("nn.Dropout2d({rate})"),
                false => format!("nn.Dropout({rate})"),
            },
            LayerKind::MaxPool => "nn.MaxPool2d(2)".to_owned(),
            LayerKind::AveragePool => "nn.AvgPool2d(2)".to_owned(),
            LayerKind::Mean => "nn.AdaptiveAvgPool2d(1)".to_owned(),
            LayerKind::Residual(_) => "Residual".to_owned(),
            LayerKind::Projected(_) => "Projected".to_owned(),
        }
    }
}

fn no_bias(bias: bool) -> &'static str {
    if bias { "" } else { ", bias=False" }
}

impl NormKind {
    fn call(self, channels: usize, [scale, center]: [bool; 2], on_images: bool) -> String {
        let affine = match scale || center {
            true => "",
            false => ", affine=False",
        };
        match self {
            Self::Batch { epsilon, momentum } => {
                let dimensions = if on_images { 2 } else { 1 };
                let settings = format!("eps={epsilon:e}, momentum={momentum}");
                format!("nn.BatchNorm{dimensions}d({channels}, {settings}{affine})")
            }
            Self::Group { groups: 1, epsilon } if !on_images => {
                let affine = affine.replace("affine", "elementwise_affine");
                format!("nn.LayerNorm({channels}, eps={epsilon:e}{affine})")
            }
            Self::Group { groups, epsilon } => {
                format!("nn.GroupNorm({groups}, {channels}, eps={epsilon:e}{affine})")
            }
            Self::Affine => {
                let dimensions = if on_images { 2 } else { 1 };
                let bias = no_bias(center);
                format!("nn.Conv{dimensions}d({channels}, {channels}, 1, groups={channels}{bias})")
            }
        }
    }
}

fn activation_call(activation: Activation) -> &'static str {
    match activation {
        Activation::Relu => "nn.ReLU()",
        Activation::LeakyRelu => "nn.LeakyReLU(0.01)",
        Activation::Sigmoid => "nn.Sigmoid()",
        Activation::Tanh => "nn.Tanh()",
        Activation::Gelu => "nn.GELU()",
        Activation::Silu => "nn.SiLU()",
        Activation::Elu => "nn.ELU()",
        Activation::Linear => "nn.Identity()",
    }
}
