//! Weights that are damaged or belong to another model.

use super::{CLASSES, INPUT, cnn, mlp, network, random};
use ablate_models::Start;
use ablate_models::block::BlockConfig;
use ablate_models::cnn::Pool;
use ablate_models::interchange::{HostTensor, Network, Weights, WeightsError};
use ablate_models::norm::{BatchNormConfig, NormConfig};
use burn::tensor::Device;
use proptest::prelude::*;
use std::sync::OnceLock;

fn start() -> Start {
    #[cfg(feature = "flex")]
    let device = Device::flex();
    #[cfg(not(feature = "flex"))]
    let device = Device::default();
    Start::new([0], &device)
}

/// Batch norm that learns only a center.
fn centered() -> BlockConfig {
    BlockConfig {
        norm: NormConfig::Batch(BatchNormConfig {
            scale: false,
            ..BatchNormConfig::default()
        }),
        ..BlockConfig::default()
    }
}

/// The error of importing weights after a change.
fn error(network: &Network, change: impl FnOnce(&mut Weights)) -> WeightsError {
    let mut weights = random(network, &start());
    network
        .import(&weights, &start())
        .expect("fits before the change");
    change(&mut weights);
    network
        .import(&weights, &start())
        .expect_err("does not fit")
}

#[test]
fn missing_and_unknown_tensors_are_named() {
    let network = network(mlp(centered()));
    let missing = error(&network, |weights| drop(weights.0.remove("2.running_var")));
    let message = missing.to_string();
    assert!(
        message.starts_with("the model also needs `2.running_var`;"),
        "{message}"
    );
    let unknown = error(&network, |weights| {
        let tensor = weights.0["1.weight"].clone();
        weights.0.insert("8.weight".to_owned(), tensor);
    });
    let message = unknown.to_string();
    assert!(
        message.starts_with("the model has no `8.weight`;"),
        "{message}"
    );
}

#[test]
fn wrong_shapes_are_named() {
    let network = network(cnn(centered(), 3, Pool::Max, false));
    let found = error(&network, |weights| {
        let tensor = weights.0.get_mut("0.weight").expect("a convolution");
        tensor.shape = vec![2, 4, 3, 3];
    });
    let expected =
        "the tensor `0.weight` has the shape [2, 4, 3, 3], but the model needs [4, 2, 3, 3]";
    assert_eq!(found.to_string(), expected);
}

#[test]
fn a_scale_that_the_model_lacks_is_refused() {
    let network = network(mlp(centered()));
    let found = error(&network, |weights| {
        weights.0.get_mut("2.weight").expect("ones").values[3] = 1.5;
    });
    let message = found.to_string();
    assert!(
        message.contains("`2.weight` must be 1 everywhere"),
        "{message}"
    );
    assert!(message.contains("no scale"), "{message}");
}

#[test]
fn values_that_are_not_finite_are_refused() {
    let network = network(mlp(centered()));
    let found = error(&network, |weights| {
        weights.0.get_mut("1.weight").expect("a weight").values[0] = f32::NAN;
    });
    assert!(matches!(found, WeightsError::NotFinite(name) if name == "1.weight"));
}

#[test]
fn counted_batches_are_read_and_ignored() {
    let network = network(mlp(centered()));
    let mut weights = random(&network, &start());
    let count = HostTensor {
        shape: Vec::new(),
        values: Vec::new(),
    };
    weights
        .0
        .insert("2.num_batches_tracked".to_owned(), count.clone());
    network
        .import(&weights, &start())
        .expect("PyTorch counts batches");
    weights.0.insert("1.num_batches_tracked".to_owned(), count);
    let error = network
        .import(&weights, &start())
        .expect_err("a dense layer counts nothing");
    assert!(matches!(error, WeightsError::Unknown(names) if names == ["1.num_batches_tracked"]));
}

#[test]
fn other_types_are_named() {
    // One tensor `a` of two halves.
    let header = br#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.extend([0; 4]);
    let error = Weights::from_safetensors(&bytes).expect_err("half precision");
    let message = error.to_string();
    assert!(
        message.starts_with("the tensor `a` has the type F16;"),
        "{message}"
    );
}

/// A sound file.
fn file() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| {
        let network = network(cnn(centered(), 3, Pool::Max, true));
        let weights = random(&network, &start());
        weights.to_safetensors().expect("small")
    })
}

/// Reads `bytes` and imports what is read; the values are never more than the bytes hold.
fn read(bytes: &[u8]) -> Result<(), WeightsError> {
    let weights = Weights::from_safetensors(bytes)?;
    assert!(4 * weights.elements() <= bytes.len());
    let config = cnn(centered(), 3, Pool::Max, true);
    let network = Network::new(config, INPUT, CLASSES)?;
    network.import(&weights, &start()).map(drop)
}

#[test]
fn every_shortened_file_is_refused() {
    let file = file();
    read(file).expect("sound");
    for n in 0..file.len() {
        assert!(read(&file[..n]).is_err(), "{n} of {} bytes", file.len());
    }
}

#[test]
fn a_large_stated_header_is_refused() {
    for size in [u64::MAX, 1 << 40, file().len() as u64] {
        let mut bytes = file().to_vec();
        bytes[..8].copy_from_slice(&size.to_le_bytes());
        assert!(matches!(read(&bytes), Err(WeightsError::File(_))), "{size}");
    }
}

proptest! {
    #[test]
    fn changed_files_never_panic(
        changes in prop::collection::vec((0usize..4096, any::<u8>()), 1..12),
        cut in prop::option::of(0usize..4096),
    ) {
        let mut bytes = file().to_vec();
        for (at, byte) in changes {
            // Most changes hit the header.
            let n = bytes.len();
            bytes[at % n] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut % bytes.len());
        }
        let _ = read(&bytes);
    }

    #[test]
    fn changed_headers_never_panic(
        pieces in prop::collection::vec((0usize..2048, "[0-9\\[\\]{}:,\"a-zF]{0,6}"), 1..4),
    ) {
        let file = file();
        let stated: [u8; 8] = file[..8].try_into().expect("eight bytes");
        let end = 8 + u64::from_le_bytes(stated) as usize;
        let mut header = file[8..end].to_vec();
        for (at, piece) in pieces {
            let at = at % header.len();
            let to = (at + piece.len()).min(header.len());
            header.splice(at..to, piece.bytes());
        }
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend_from_slice(&file[end..]);
        let _ = read(&bytes);
    }
}
