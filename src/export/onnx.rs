//! Trained nets as ONNX models.
//!
//! The numbers of fields are those of `onnx.proto3`, beside the code. Only operators of version 13 of the
//! standard set are used, which every runtime of the last years knows. Dropout is left out, because it does
//! nothing in evaluation.

use super::protobuf::Message;
use ablate_models::Activation;
use ablate_models::interchange::{Layer, LayerKind, Network, NormKind, Weights};
use std::f32::consts::FRAC_1_SQRT_2;

/// Version of the format (`ModelProto.ir_version`).
const FORMAT: u64 = 8;

/// Version of the standard set of operators.
const OPERATORS: u64 = 13;

/// Elements of tensors (`TensorProto.DataType`).
const FLOAT: u64 = 1;
const INT64: u64 = 7;

/// The ONNX model of `network` with `weights`, called `name`. It maps `images`, `[batch, channels, height,
/// width]` in single precision and scaled as in training, to `logits`, `[batch, classes]`.
///
/// Equal weights give equal bytes.
///
/// # Panics
/// If `weights` are not those of `network`.
pub fn onnx(network: &Network, weights: &Weights, name: &str) -> Vec<u8> {
    let mut graph = Graph {
        weights,
        nodes: Vec::new(),
        tensors: Vec::new(),
    };
    let last = graph.sequence(network.layers(), "images");
    graph.node("Identity", &[&last], "logits", &[]);
    let [height, width, channels] = network.input();
    // GraphProto: node = 1, name = 2, initializer = 5, input = 11, output = 12.
    let mut content = Message::default();
    graph.nodes.iter().for_each(|node| content.message(1, node));
    content.text(2, name);
    for tensor in &graph.tensors {
        content.message(5, tensor);
    }
    content.message(11, &value("images", &[channels, height, width]));
    content.message(12, &value("logits", &[network.classes()]));
    // OperatorSetIdProto: version = 2.
    let mut operators = Message::default();
    operators.number(2, OPERATORS);
    // ModelProto: ir_version = 1, producer_name = 2, producer_version = 3, graph = 7, opset_import = 8.
    let mut model = Message::default();
    model.number(1, FORMAT);
    model.text(2, env!("CARGO_PKG_NAME"));
    model.text(3, env!("CARGO_PKG_VERSION"));
    model.message(7, &content);
    model.message(8, &operators);
    model.0
}

/// `ValueInfoProto` of a batch of tensors of the given shape: name = 1, type = 2.
fn value(name: &str, shape: &[usize]) -> Message {
    // TensorShapeProto.Dimension: dim_value = 1, dim_param = 2.
    let mut batch = Message::default();
    batch.text(2, "batch");
    let mut dimensions = Message::default();
    dimensions.message(1, &batch);
    for &size in shape {
        let mut dimension = Message::default();
        dimension.number(1, size as u64);
        dimensions.message(1, &dimension);
    }
    // TypeProto.Tensor: elem_type = 1, shape = 2.
    let (mut tensor, mut kind, mut value) = <(Message, Message, Message)>::default();
    tensor.number(1, FLOAT);
    tensor.message(2, &dimensions);
    kind.message(1, &tensor);
    value.text(1, name);
    value.message(2, &kind);
    value
}

/// `TensorProto`: dims = 1, data_type = 2, name = 8, raw_data = 9.
fn tensor(name: &str, shape: &[usize], kind: u64, bytes: &[u8]) -> Message {
    let mut tensor = Message::default();
    shape.iter().for_each(|&size| tensor.number(1, size as u64));
    tensor.number(2, kind);
    tensor.text(8, name);
    tensor.bytes(9, bytes);
    tensor
}

/// An attribute of a node.
enum Attribute<'a> {
    Number(&'a str, usize),
    Real(&'a str, f32),
    Numbers(&'a str, &'a [usize]),
}

impl Attribute<'_> {
    /// `AttributeProto`: name = 1, f = 2, i = 3, ints = 8, type = 20 (1, 2 and 7).
    fn message(&self) -> Message {
        let mut attribute = Message::default();
        match *self {
            Self::Number(name, number) => {
                attribute.text(1, name);
                attribute.number(3, number as u64);
                attribute.number(20, 2);
            }
            Self::Real(name, number) => {
                attribute.text(1, name);
                attribute.float(2, number);
                attribute.number(20, 1);
            }
            Self::Numbers(name, numbers) => {
                attribute.text(1, name);
                let numbers = numbers.iter();
                numbers.for_each(|&number| attribute.number(8, number as u64));
                attribute.number(20, 7);
            }
        }
        attribute
    }
}

/// A graph that is being written. Layers and their tensors keep their names in PyTorch.
struct Graph<'a> {
    weights: &'a Weights,
    nodes: Vec<Message>,
    tensors: Vec<Message>,
}

impl Graph<'_> {
    /// Adds layers one after the other to the value `x`; returns the name of the last output.
    fn sequence(&mut self, layers: &[Layer], x: &str) -> String {
        let mut x = x.to_owned();
        for layer in layers {
            x = self.layer(layer, &x);
        }
        x
    }

    /// Adds a node with output `y`. `NodeProto`: input = 1, output = 2, name = 3, op_type = 4, attribute = 5.
    fn node(&mut self, operator: &str, inputs: &[&str], y: &str, attributes: &[Attribute<'_>]) {
        let mut node = Message::default();
        inputs.iter().for_each(|input| node.text(1, input));
        node.text(2, y);
        node.text(3, y);
        node.text(4, operator);
        for attribute in attributes {
            node.message(5, &attribute.message());
        }
        self.nodes.push(node);
    }

    fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensors.push(tensor(name, shape, FLOAT, &bytes));
    }

    fn integers(&mut self, name: &str, values: &[i64]) {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensors
            .push(tensor(name, &[values.len()], INT64, &bytes));
    }

    /// Adds the tensor `part` of `layer`, if the layer has it; returns its name.
    fn parameter(&mut self, layer: &Layer, part: &str) -> Option<String> {
        let name = format!("{}.{part}", layer.name);
        let weights = self.weights;
        let found = weights.0.get(&name)?;
        self.floats(&name, &found.shape, &found.values);
        Some(name)
    }

    /// The tensor `part` of `layer`, or `constant` for each of `channels` channels.
    fn parameter_or(
        &mut self,
        layer: &Layer,
        part: &str,
        channels: usize,
        constant: f32,
    ) -> String {
        self.parameter(layer, part).unwrap_or_else(|| {
            let name = format!("{}.{part}", layer.name);
            self.floats(&name, &[channels], &vec![constant; channels]);
            name
        })
    }

    /// Adds a layer to the value `x`; returns the name of its output.
    fn layer(&mut self, layer: &Layer, x: &str) -> String {
        let y = format!("{}:out", layer.name);
        let part = |name: &str| format!("{}:{name}", layer.name);
        match &layer.kind {
            LayerKind::Flatten => self.node("Flatten", &[x], &y, &[Attribute::Number("axis", 1)]),
            LayerKind::Unflatten => {
                self.integers(&part("axes"), &[2]);
                self.node("Unsqueeze", &[x, &part("axes")], &y, &[]);
            }
            LayerKind::Dense { .. } => {
                self.linear("Gemm", layer, x, &y, &[Attribute::Number("transB", 1)]);
            }
            LayerKind::Pad { before, after } => {
                let [before, after] = [*before, *after].map(|n| n as i64);
                self.integers(&part("pads"), &[0, 0, before, before, 0, 0, after, after]);
                self.node("Pad", &[x, &part("pads")], &y, &[]);
            }
            LayerKind::Convolution { geometry, .. } => {
                let (pad, _) = geometry.around();
                self.linear(
                    "Conv",
                    layer,
                    x,
                    &y,
                    &[
                        Attribute::Numbers("strides", &[geometry.stride; 2]),
                        Attribute::Numbers("pads", &[pad; 4]),
                    ],
                );
            }
            LayerKind::Norm { norm, channels, .. } => match *norm {
                NormKind::Batch { epsilon, .. } => {
                    let scale = self.parameter_or(layer, "weight", *channels, 1.0);
                    let center = self.parameter_or(layer, "bias", *channels, 0.0);
                    let mean = self.parameter_or(layer, "running_mean", *channels, 0.0);
                    let variance = self.parameter_or(layer, "running_var", *channels, 1.0);
                    let inputs = [x, &scale, &center, &mean, &variance];
                    let epsilon = Attribute::Real("epsilon", epsilon as f32);
                    self.node("BatchNormalization", &inputs, &y, &[epsilon]);
                }
                NormKind::Group { groups, epsilon } => {
                    self.group_norm(layer, x, &y, groups, epsilon)
                }
                NormKind::Affine => {
                    let groups = Attribute::Number("group", *channels);
                    self.linear("Conv", layer, x, &y, &[groups]);
                }
            },
            LayerKind::Activation(activation) => self.activation(*activation, layer, x, &y),
            LayerKind::Dropout { .. } => return x.to_owned(),
            LayerKind::MaxPool => self.node("MaxPool", &[x], &y, &POOL),
            LayerKind::AveragePool => self.node("AveragePool", &[x], &y, &POOL),
            LayerKind::Mean => self.node("GlobalAveragePool", &[x], &y, &[]),
            LayerKind::Residual(layers) => {
                let inner = self.sequence(layers, x);
                self.node("Add", &[&inner, x], &y, &[]);
            }
            LayerKind::Projected(layers) => {
                let Some((projection, layers)) = layers.split_last() else {
                    return x.to_owned();
                };
                let inner = self.sequence(layers, x);
                let projected = self.layer(projection, x);
                self.node("Add", &[&inner, &projected], &y, &[]);
            }
        }
        y
    }

    /// Adds a node with the weights, and the bias if there is one, of `layer`.
    fn linear(
        &mut self,
        operator: &str,
        layer: &Layer,
        x: &str,
        y: &str,
        attributes: &[Attribute<'_>],
    ) {
        let parameters = ["weight", "bias"].map(|name| self.parameter(layer, name));
        let inputs = std::iter::once(x).chain(parameters.iter().flatten().map(|p| &**p));
        let inputs: Vec<&str> = inputs.collect();
        self.node(operator, &inputs, y, attributes);
    }

    /// Group norm as an instance norm over the groups, then scale and center per channel.
    fn group_norm(&mut self, layer: &Layer, x: &str, y: &str, groups: usize, epsilon: f64) {
        let part = |name: &str| format!("{}:{name}", layer.name);
        let channels = *layer.output.last().expect("an output has channels");
        // Images have the channels first.
        let mut shape = vec![0, channels as i64];
        let mut ones = vec![channels];
        if let [height, width, _] = layer.output[..] {
            shape.extend([height as i64, width as i64]);
            ones.extend([1, 1]);
        }
        self.integers(&part("groups"), &[0, groups as i64, -1]);
        self.integers(&part("shape"), &shape);
        self.floats(&part("one"), &[groups], &vec![1.0; groups]);
        self.floats(&part("zero"), &[groups], &vec![0.0; groups]);
        self.node("Reshape", &[x, &part("groups")], &part("grouped"), &[]);
        let inputs = [part("grouped"), part("one"), part("zero")];
        let epsilon = Attribute::Real("epsilon", epsilon as f32);
        self.node(
            "InstanceNormalization",
            &inputs.each_ref().map(|name| &**name),
            &part("normed"),
            &[epsilon],
        );
        let normed = [&*part("normed"), &part("shape")];
        // A norm has both or neither; see `interchange`.
        let names = ["weight", "bias"].map(|name| format!("{}.{name}", layer.name));
        let weights = self.weights;
        let [Some(scale), Some(center)] = names.each_ref().map(|name| weights.0.get(name)) else {
            return self.node("Reshape", &normed, y, &[]);
        };
        let [weight, bias] = names.each_ref().map(String::as_str);
        self.floats(weight, &ones, &scale.values);
        self.floats(bias, &ones, &center.values);
        self.node("Reshape", &normed, &part("whole"), &[]);
        self.node("Mul", &[&part("whole"), weight], &part("scaled"), &[]);
        self.node("Add", &[&part("scaled"), bias], y, &[]);
    }

    fn activation(&mut self, activation: Activation, layer: &Layer, x: &str, y: &str) {
        let part = |name: &str| format!("{}:{name}", layer.name);
        match activation {
            Activation::Relu => self.node("Relu", &[x], y, &[]),
            Activation::LeakyRelu => {
                self.node("LeakyRelu", &[x], y, &[Attribute::Real("alpha", 0.01)]);
            }
            Activation::Sigmoid => self.node("Sigmoid", &[x], y, &[]),
            Activation::Tanh => self.node("Tanh", &[x], y, &[]),
            Activation::Elu => self.node("Elu", &[x], y, &[Attribute::Real("alpha", 1.0)]),
            Activation::Linear => self.node("Identity", &[x], y, &[]),
            Activation::Silu => {
                self.node("Sigmoid", &[x], &part("sigmoid"), &[]);
                self.node("Mul", &[x, &part("sigmoid")], y, &[]);
            }
            // Its own operator is newer: x * (1 + erf(x / sqrt 2)) / 2.
            Activation::Gelu => {
                for (name, value) in [("root", FRAC_1_SQRT_2), ("one", 1.0), ("half", 0.5)] {
                    self.floats(&part(name), &[], &[value]);
                }
                self.node("Mul", &[x, &part("root")], &part("scaled"), &[]);
                self.node("Erf", &[&part("scaled")], &part("erf"), &[]);
                self.node("Add", &[&part("erf"), &part("one")], &part("sum"), &[]);
                self.node("Mul", &[x, &part("half")], &part("halved"), &[]);
                self.node("Mul", &[&part("halved"), &part("sum")], y, &[]);
            }
        }
    }
}

/// 2x2 windows with stride 2.
const POOL: [Attribute<'static>; 2] = [
    Attribute::Numbers("kernel_shape", &[2, 2]),
    Attribute::Numbers("strides", &[2, 2]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use ablate_models::{Start, zoo};
    use burn::tensor::Device;

    #[test]
    fn every_tensor_of_a_preset_is_in_its_model_once() {
        for name in ["mlp-digits-bn", "cnn-digits-bn", "preact-resnet8-mnist"] {
            let preset = zoo::preset(name).expect(name);
            let network = Network::new(preset.config(), preset.input, preset.classes).unwrap();
            let start = Start::new([0], &Device::flex());
            let model = network.config().init(preset.input, preset.classes, &start);
            let weights = network.export(&model.unwrap(), 0).unwrap();
            let bytes = onnx(&network, &weights, name);
            assert_eq!(bytes, onnx(&network, &weights, name));
            for (name, tensor) in &weights.0 {
                let values: Vec<u8> = tensor.values.iter().flat_map(|x| x.to_le_bytes()).collect();
                // As initializer: its name, then its bytes.
                let mut field = Message::default();
                field.text(8, name);
                field.bytes(9, &values);
                let found = bytes.windows(field.0.len()).filter(|w| *w == field.0);
                assert_eq!(found.count(), 1, "{name}");
            }
        }
    }
}
