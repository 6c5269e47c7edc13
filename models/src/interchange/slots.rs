//! The tensors of a list of layers: names, shapes and the order of their elements.

use super::layers::{Layer, LayerKind, NormKind};

/// A tensor of a PyTorch model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slot {
    /// Its name, such as `1.running_mean`.
    pub(super) name: String,
    /// Its shape in PyTorch.
    pub(super) shape: Vec<usize>,
    /// Which of our parameters it is.
    pub(super) part: Part,
    /// Number of dense layers and convolutions, or of norms, before it.
    pub(super) index: usize,
    /// The value of all its elements if the model has no such parameter.
    pub(super) constant: Option<f32>,
    order: Order,
}

/// A parameter or running average of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Weight,
    Bias,
    Scale,
    Center,
    Mean,
    Variance,
}

/// Where PyTorch has the elements of a tensor.
#[derive(Clone, Debug, PartialEq)]
enum Order {
    /// In our order.
    Same,
    /// `[outputs, inputs]`; ours are `[inputs, outputs]`.
    Dense { outputs: usize },
    /// The same behind a flatten of `[channels, positions]`; ours are flattened from `[positions, channels]`.
    Flattened { outputs: usize, channels: usize },
    /// `[outputs, inputs, area]`; ours are `[area, inputs, outputs]`.
    Convolution { outputs: usize, area: usize },
}

impl Order {
    /// Our index of element `i` of `n` in PyTorch's order.
    fn ours(&self, i: usize, n: usize) -> usize {
        match *self {
            Self::Same => i,
            Self::Dense { outputs } => {
                let inputs = n / outputs;
                (i % inputs) * outputs + i / inputs
            }
            Self::Flattened { outputs, channels } => {
                let inputs = n / outputs;
                let positions = inputs / channels;
                let (output, input) = (i / inputs, i % inputs);
                let (channel, position) = (input / positions, input % positions);
                (position * channels + channel) * outputs + output
            }
            Self::Convolution { outputs, area } => {
                let inputs = n / (outputs * area);
                let (output, input) = (i / (inputs * area), i / area % inputs);
                (i % area * inputs + input) * outputs + output
            }
        }
    }
}

impl Slot {
    /// Number of elements.
    pub(super) fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Our values in PyTorch's order.
    pub(super) fn in_torch_order(&self, ours: &[f32]) -> Vec<f32> {
        let n = ours.len();
        (0..n).map(|i| ours[self.order.ours(i, n)]).collect()
    }

    /// PyTorch's values in our order.
    pub(super) fn in_our_order(&self, theirs: &[f32]) -> Vec<f32> {
        let n = theirs.len();
        let mut ours = vec![0.0; n];
        for (i, &value) in theirs.iter().enumerate() {
            ours[self.order.ours(i, n)] = value;
        }
        ours
    }

    /// Whether PyTorch counts the batches of the norm whose running mean this is. The count is read and
    /// ignored.
    pub(super) fn counter(&self) -> Option<String> {
        let layer = self.name.strip_suffix("running_mean")?;
        Some(format!("{layer}num_batches_tracked"))
    }
}

/// The tensors of `layers`, in order from the input.
pub(super) fn slots(layers: &[Layer]) -> Vec<Slot> {
    let mut slots = Vec::new();
    let (mut maps, mut norms) = (0, 0);
    for layer in layers.iter().flat_map(Layer::flat) {
        let slot = |name: &str, shape: &[usize], part, index, constant, order| Slot {
            name: format!("{}.{name}", layer.name),
            shape: shape.to_vec(),
            part,
            index,
            constant,
            order,
        };
        match &layer.kind {
            LayerKind::Dense {
                inputs,
                outputs,
                bias,
                flattened,
            } => {
                let order = match *flattened {
                    Some([_, _, channels]) => Order::Flattened {
                        outputs: *outputs,
                        channels,
                    },
                    None => Order::Dense { outputs: *outputs },
                };
                let shape = [*outputs, *inputs];
                slots.push(slot("weight", &shape, Part::Weight, maps, None, order));
                if *bias {
                    slots.push(slot(
                        "bias",
                        &shape[..1],
                        Part::Bias,
                        maps,
                        None,
                        Order::Same,
                    ));
                }
                maps += 1;
            }
            LayerKind::Convolution {
                inputs,
                outputs,
                geometry,
                bias,
            } => {
                let kernel = geometry.kernel;
                let order = Order::Convolution {
                    outputs: *outputs,
                    area: kernel.pow(2),
                };
                let shape = [*outputs, *inputs, kernel, kernel];
                slots.push(slot("weight", &shape, Part::Weight, maps, None, order));
                if *bias {
                    slots.push(slot(
                        "bias",
                        &shape[..1],
                        Part::Bias,
                        maps,
                        None,
                        Order::Same,
                    ));
                }
                maps += 1;
            }
            LayerKind::Norm {
                norm,
                channels,
                scale,
                center,
                on_images,
            } => {
                // A convolution with one weight per channel has the shape of its kernel.
                let weight = match (norm, on_images) {
                    (NormKind::Affine, true) => vec![*channels, 1, 1, 1],
                    (NormKind::Affine, false) => vec![*channels, 1, 1],
                    _ => vec![*channels],
                };
                // Such a convolution can go without a bias.
                let center_needed = *norm != NormKind::Affine || *center;
                let each = [*channels];
                let vector = |name, shape: &[usize], part, constant| {
                    slot(name, shape, part, norms, constant, Order::Same)
                };
                if *scale || *center {
                    let ones = (!scale).then_some(1.0);
                    slots.push(vector("weight", &weight, Part::Scale, ones));
                    if center_needed {
                        let zeros = (!center).then_some(0.0);
                        slots.push(vector("bias", &each, Part::Center, zeros));
                    }
                }
                if let NormKind::Batch { .. } = norm {
                    slots.push(vector("running_mean", &each, Part::Mean, None));
                    slots.push(vector("running_var", &each, Part::Variance, None));
                }
                norms += 1;
            }
            _ => {}
        }
    }
    slots
}
