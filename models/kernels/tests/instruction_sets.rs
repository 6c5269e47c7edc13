//! Wider vectors give the same bits, forward and backward, and single values the same to rounding.

use ablate_kernels::activation::Activation;
use ablate_kernels::{
    BlockParameters, EpilogueSpec, Geometry, InstructionSet, Masks, Padding, Position, conv_block,
    dense_block,
};
use ablate_streams::{Purpose, Stream};
use burn::tensor::{Device, Tensor, TensorData};

fn tensor<const D: usize>(shape: [usize; D], tag: u64) -> Tensor<D> {
    let n = shape.iter().product();
    let stream = Stream::new(tag, Purpose::Init, "test");
    let values: Vec<f32> = stream.normals(0).take(n).map(|x| x as f32).collect();
    let device = Device::flex().autodiff();
    Tensor::from_data(TensorData::new(values, shape), &device).require_grad()
}

fn bits<const D: usize>(tensor: Tensor<D>) -> Vec<u32> {
    let values = tensor.try_into_vec_as::<f32>().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

fn spec(activation: Activation, dropout: bool) -> EpilogueSpec {
    EpilogueSpec {
        activation,
        epsilon: Some(1e-5),
        position: Position::Before,
        dropout: dropout.then(|| Masks {
            streams: [3, 4]
                .map(|seed| Stream::new(seed, Purpose::Mask, "test"))
                .into(),
            step: 5,
            threshold: 1 << 15,
            shared_rows: 1,
        }),
        pool: false,
    }
}

/// Output and gradients of a dense block with `outputs` units, for 2 replicas.
fn dense(rows: usize, inputs: usize, outputs: usize, spec: EpilogueSpec) -> Vec<Vec<u32>> {
    let (x, w) = (
        tensor([2, rows, inputs], 1),
        tensor([2, inputs, outputs], 2),
    );
    let scale = tensor([2, outputs], 3);
    let parameters = BlockParameters {
        scale: Some(scale.clone()),
        ..BlockParameters::default()
    };
    let y = dense_block(x.clone(), w.clone(), parameters, spec).y;
    let gradients = (y.clone() * tensor(y.dims(), 9)).sum().backward();
    let of = |gradient: Option<Tensor<3>>| bits(gradient.expect("a gradient"));
    vec![
        bits(y.inner()),
        of(x.grad(&gradients)),
        of(w.grad(&gradients)),
        bits(scale.grad(&gradients).expect("a gradient")),
    ]
}

/// Output and gradients of a convolution block, for 2 replicas.
fn conv(side: usize, inputs: usize, outputs: usize, spec: EpilogueSpec) -> Vec<Vec<u32>> {
    let x = tensor([2, 3, side, side, inputs], 1);
    let w = tensor([2, 9 * inputs, outputs], 2);
    let geometry = Geometry {
        kernel: 3,
        stride: 1,
        padding: Padding::Same,
    };
    let y = conv_block(
        x.clone(),
        w.clone(),
        BlockParameters::default(),
        geometry,
        spec,
    )
    .y;
    let gradients = (y.clone() * tensor(y.dims(), 9)).sum().backward();
    vec![
        bits(y.inner()),
        bits(x.grad(&gradients).expect("a gradient")),
        bits(w.grad(&gradients).expect("a gradient")),
    ]
}

/// Results of dense and convolution blocks of many shapes.
fn all_results() -> Vec<Vec<u32>> {
    let mut found = Vec::new();
    for activation in [Activation::Relu, Activation::Sigmoid, Activation::Gelu] {
        for (rows, inputs, outputs) in [(33, 70, 19), (7, 3, 8), (65, 513, 40), (20, 100, 70)] {
            found.extend(dense(rows, inputs, outputs, spec(activation, true)));
        }
        for (side, inputs, outputs) in [(7, 1, 8), (8, 3, 12), (6, 16, 33)] {
            found.extend(conv(side, inputs, outputs, spec(activation, false)));
        }
    }
    found
}

// The limit is one per process, so this is the only test here.
#[test]
fn instruction_sets_agree() {
    let widest = InstructionSet::widest();
    let expected = all_results();
    if InstructionSet::Avx2.limit().is_ok() {
        assert_eq!(InstructionSet::current(), InstructionSet::Avx2);
        assert!(
            all_results() == expected,
            "{widest} and AVX2 have different bits"
        );
    }
    InstructionSet::Scalar.limit().expect("every CPU has it");
    assert_eq!(InstructionSet::current(), InstructionSet::Scalar);
    for (scalar, expected) in all_results().iter().zip(&expected) {
        let values = |bits: &[u32]| bits.iter().map(|&bits| f32::from_bits(bits)).collect();
        let [scalar, expected]: [Vec<f32>; 2] = [scalar, expected].map(|bits| values(bits));
        let size = expected.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
        for (a, b) in scalar.iter().zip(&expected) {
            assert!((a - b).abs() <= 1e-5 * size, "{a} and {b}, of up to {size}");
        }
    }
}
