//! A plain interpreter of exported layers, written from PyTorch's documentation: channels first, one image,
//! double precision.

use ablate_models::interchange::{Layer, LayerKind, Network, NormKind, Weights};

/// An image `[channels, height, width]`, or features.
#[derive(Clone)]
struct Value {
    shape: Vec<usize>,
    data: Vec<f64>,
}

/// The logits of `image`, `[height, width, channels]`.
pub(crate) fn logits(network: &Network, weights: &Weights, image: &[f64]) -> Vec<f64> {
    let [h, w, c] = network.input();
    let pixel = |channel: usize, at: usize| image[at * c + channel];
    let data = (0..c).flat_map(|channel| (0..h * w).map(move |at| pixel(channel, at)));
    let input = Value {
        shape: vec![c, h, w],
        data: data.collect(),
    };
    sequential(network.layers(), weights, input).data
}

fn sequential(layers: &[Layer], weights: &Weights, mut x: Value) -> Value {
    for layer in layers {
        x = apply(layer, weights, x);
        let mut shape = x.shape.clone();
        if let [c, h, w] = shape[..] {
            shape = vec![h, w, c];
        }
        let unflattened = layer.kind == LayerKind::Unflatten;
        assert!(
            unflattened || shape == layer.output,
            "{layer:?} has {shape:?}"
        );
    }
    x
}

fn apply(layer: &Layer, weights: &Weights, x: Value) -> Value {
    let named = |part: &str| -> Option<Vec<f64>> {
        let tensor = weights.0.get(&format!("{}.{part}", layer.name))?;
        Some(
            tensor
                .values
                .iter()
                .map(|&value| f64::from(value))
                .collect(),
        )
    };
    match &layer.kind {
        LayerKind::Flatten => Value {
            shape: vec![x.data.len()],
            data: x.data,
        },
        LayerKind::Unflatten => Value {
            shape: vec![x.data.len(), 1],
            data: x.data,
        },
        LayerKind::Dense { inputs, .. } => {
            let weight = named("weight").expect("a weight");
            let mut data: Vec<f64> = (weight.chunks(*inputs))
                .map(|row| row.iter().zip(&x.data).map(|(w, x)| w * x).sum())
                .collect();
            if let Some(bias) = named("bias") {
                data.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            }
            Value {
                shape: vec![data.len()],
                data,
            }
        }
        LayerKind::Pad { before, after } => pad(&x, *before, *after),
        LayerKind::Convolution {
            outputs, geometry, ..
        } => {
            let (before, after) = geometry.around();
            let x = pad(&x, before, after);
            let sizes = [*outputs, geometry.kernel, geometry.stride];
            convolve(
                &x,
                &named("weight").expect("a weight"),
                named("bias"),
                sizes,
            )
        }
        LayerKind::Norm { norm, .. } => normalize(&x, *norm, named),
        LayerKind::Activation(f) => map(x, |v| f.value(v)),
        LayerKind::Dropout { .. } => x,
        LayerKind::MaxPool => pool(&x, |cells| cells.into_iter().fold(f64::MIN, f64::max)),
        LayerKind::AveragePool => pool(&x, |cells| cells.iter().sum::<f64>() / 4.0),
        LayerKind::Mean => {
            let each = x.data.len() / x.shape[0];
            let means = x
                .data
                .chunks(each)
                .map(|part| part.iter().sum::<f64>() / each as f64);
            Value {
                shape: vec![x.shape[0], 1, 1],
                data: means.collect(),
            }
        }
        LayerKind::Projected(layers) => {
            let (projection, layers) = layers.split_last().expect("a projection");
            let mut y = sequential(layers, weights, x.clone());
            let x = apply(projection, weights, x);
            assert_eq!(x.shape, y.shape);
            y.data.iter_mut().zip(x.data).for_each(|(y, x)| *y += x);
            y
        }
        LayerKind::Residual(layers) => {
            let mut y = sequential(layers, weights, x.clone());
            y.data.iter_mut().zip(x.data).for_each(|(y, x)| *y += x);
            y
        }
    }
}

fn map(mut x: Value, f: impl Fn(f64) -> f64) -> Value {
    x.data.iter_mut().for_each(|v| *v = f(*v));
    x
}

fn image(x: &Value) -> [usize; 3] {
    x.shape[..].try_into().expect("an image")
}

fn pad(x: &Value, before: usize, after: usize) -> Value {
    let [c, h, w] = image(x);
    let (tall, wide) = (h + before + after, w + before + after);
    let mut data = vec![0.0; c * tall * wide];
    for (i, &value) in x.data.iter().enumerate() {
        let (channel, row, column) = (i / (h * w), i / w % h, i % w);
        data[(channel * tall + row + before) * wide + column + before] = value;
    }
    Value {
        shape: vec![c, tall, wide],
        data,
    }
}

/// `weight` is `[outputs, inputs, kernel, kernel]`.
fn convolve(
    x: &Value,
    weight: &[f64],
    bias: Option<Vec<f64>>,
    [outputs, kernel, stride]: [usize; 3],
) -> Value {
    let [c, h, w] = image(x);
    let [tall, wide] = [h, w].map(|n| (n - kernel) / stride + 1);
    let mut data = Vec::new();
    for o in 0..outputs {
        for (row, column) in (0..tall * wide).map(|i| (i / wide, i % wide)) {
            let mut sum = bias.as_ref().map_or(0.0, |bias| bias[o]);
            for (i, &weight) in weight[o * c * kernel * kernel..].iter().enumerate() {
                let (channel, k) = (i / (kernel * kernel), i % (kernel * kernel));
                if channel == c {
                    break;
                }
                let (y, z) = (row * stride + k / kernel, column * stride + k % kernel);
                sum += weight * x.data[(channel * h + y) * w + z];
            }
            data.push(sum);
        }
    }
    Value {
        shape: vec![outputs, tall, wide],
        data,
    }
}

fn normalize(x: &Value, norm: NormKind, named: impl Fn(&str) -> Option<Vec<f64>>) -> Value {
    let channels = x.shape[0];
    let each = x.data.len() / channels;
    let of_group = |groups: usize| -> Vec<(f64, f64)> {
        let members = channels / groups * each;
        let moments = x.data.chunks(members).map(|part| {
            let mean = part.iter().sum::<f64>() / members as f64;
            let variance = part.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
            (mean, variance / members as f64)
        });
        let moments: Vec<_> = moments.collect();
        (0..channels)
            .map(|c| moments[c * groups / channels])
            .collect()
    };
    let (moments, epsilon) = match norm {
        NormKind::Batch { epsilon, .. } => {
            let mean = named("running_mean").expect("running averages");
            let variance = named("running_var").expect("running averages");
            (mean.into_iter().zip(variance).collect(), epsilon)
        }
        NormKind::Group { groups, epsilon } => (of_group(groups), epsilon),
        NormKind::Affine => (vec![(0.0, 1.0); channels], 0.0),
    };
    let scale = named("weight").unwrap_or_else(|| vec![1.0; channels]);
    let center = named("bias").unwrap_or_else(|| vec![0.0; channels]);
    let mut y = x.clone();
    for (i, value) in y.data.iter_mut().enumerate() {
        let channel = i / each;
        let (mean, variance) = moments[channel];
        *value = (*value - mean) / (variance + epsilon).sqrt() * scale[channel] + center[channel];
    }
    y
}

fn pool(x: &Value, of: impl Fn([f64; 4]) -> f64) -> Value {
    let [c, h, w] = image(x);
    let (tall, wide) = (h / 2, w / 2);
    let at = |channel: usize, row: usize, column: usize| x.data[(channel * h + row) * w + column];
    let cells = (0..c * tall * wide).map(|i| {
        let (channel, row, column) = (i / (tall * wide), i / wide % tall * 2, i % wide * 2);
        of([
            at(channel, row, column),
            at(channel, row, column + 1),
            at(channel, row + 1, column),
            at(channel, row + 1, column + 1),
        ])
    });
    let data = cells.collect();
    Value {
        shape: vec![c, tall, wide],
        data,
    }
}
