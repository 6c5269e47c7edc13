//! Presets: models by name.

use super::config::ModelConfig;
use crate::block::{BlockConfig, InitConfig};
use crate::cnn::{CnnConfig, Pool};
use crate::dropout::DropoutConfig;
use crate::init::WeightInit;
use crate::mlp::MlpConfig;
use crate::norm::{BatchNormConfig, NormConfig};
use crate::resnet::ResnetConfig;
use ablate_kernels::{Activation, Padding};

/// A model with a name.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// The name.
    pub name: &'static str,
    /// A description in one line.
    pub about: &'static str,
    /// The papers that it follows, with sections.
    pub source: &'static str,
    /// Height, width and channels of the images that the preset is for.
    pub input: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    build: fn() -> ModelConfig,
}

impl Preset {
    /// The preset's configuration.
    pub fn config(&self) -> ModelConfig {
        (self.build)()
    }
}

const DIGITS: [usize; 3] = [8, 8, 1];
const MNIST: [usize; 3] = [28, 28, 1];
const CIFAR: [usize; 3] = [32, 32, 3];

const LENET: &str = "LeCun et al. 1998, section II.B";
const VGG: &str = "Simonyan and Zisserman 2015, section 2; Ioffe and Szegedy 2015, section 3.2";
const PREACT: &str =
    "He et al. 2016, \"Identity Mappings in Deep Residual Networks\", section 3.2 and appendix";

/// All presets, in the order in which they are listed.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "linear",
        about: "linear classifier, the floor of every comparison",
        source: "Bishop 2006, section 4.3.4",
        input: DIGITS,
        classes: 10,
        build: || mlp(&[], BlockConfig::default()),
    },
    Preset {
        name: "mlp-digits",
        about: "64-128-128-10, ReLU",
        source: "Glorot, Bordes and Bengio 2011, section 3",
        input: DIGITS,
        classes: 10,
        build: || mlp(&[128, 128], BlockConfig::default()),
    },
    Preset {
        name: "mlp-digits-bn",
        about: "64-128-128-10, batch norm before ReLU",
        source: "Ioffe and Szegedy 2015, section 3.2",
        input: DIGITS,
        classes: 10,
        build: || mlp(&[128, 128], batch_norm(0.0)),
    },
    Preset {
        name: "cnn-digits",
        about: "3x3x16, 3x3x32, dense 64, ReLU, for 8x8 images",
        source: "LeCun et al. 1998, section II; Glorot, Bordes and Bengio 2011, section 3",
        input: DIGITS,
        classes: 10,
        build: || cnn(&[16, 32], &[64], BlockConfig::default()),
    },
    Preset {
        name: "cnn-digits-bn",
        about: "3x3x16, 3x3x32, dense 64, batch norm before ReLU, for 8x8 images",
        source: "Ioffe and Szegedy 2015, section 3.2",
        input: DIGITS,
        classes: 10,
        build: || cnn(&[16, 32], &[64], batch_norm(0.0)),
    },
    Preset {
        name: "mlp-mnist-bn",
        about: "784-512-512-10, batch norm before ReLU, dropout 0.3",
        source: "Ioffe and Szegedy 2015, section 3.2; Srivastava et al. 2014, section 4",
        input: MNIST,
        classes: 10,
        build: || mlp(&[512, 512], batch_norm(0.3)),
    },
    Preset {
        name: "cnn-mnist-bn",
        about: "3x3x32, 3x3x64, dense 128, batch norm before ReLU, dropout 0.3",
        source: "Ioffe and Szegedy 2015, section 3.2; Srivastava et al. 2014, section 4",
        input: MNIST,
        classes: 10,
        build: || cnn(&[32, 64], &[128], batch_norm(0.3)),
    },
    Preset {
        name: "resnet-mnist",
        about: "two residual stages of two 3x3 convolutions, 16 and 32 channels, batch norm",
        source: "He et al. 2016, section 3; Ioffe and Szegedy 2015, section 3.2",
        input: MNIST,
        classes: 10,
        build: || {
            ModelConfig::Cnn(CnnConfig {
                convs: 2,
                residual: true,
                ..cnn_config(&[16, 32], &[], batch_norm(0.0))
            })
        },
    },
    Preset {
        name: "lenet5-mnist",
        about: "LeNet-5: 5x5x6, 5x5x16, dense 120 and 84, tanh, average pooling",
        source: LENET,
        input: MNIST,
        classes: 10,
        build: || lenet(Some(Padding::Same)),
    },
    Preset {
        name: "lenet5-cifar",
        about: "LeNet-5 for 32x32 images, without padding as in the paper",
        source: LENET,
        input: CIFAR,
        classes: 10,
        build: || lenet(None),
    },
    Preset {
        name: "vgg-mnist",
        about: "three stages of two 3x3 convolutions, 32-64-128, dense 256, batch norm, dropout 0.5",
        source: VGG,
        input: MNIST,
        classes: 10,
        build: || vgg(&[32, 64, 128], 256),
    },
    Preset {
        name: "vgg-cifar",
        about: "three stages of two 3x3 convolutions, 64-128-256, dense 512, batch norm, dropout 0.5",
        source: VGG,
        input: CIFAR,
        classes: 10,
        build: || vgg(&[64, 128, 256], 512),
    },
    Preset {
        name: "preact-resnet8-mnist",
        about: "pre-activation residual net of 8 layers, 16-32-64 channels, batch norm",
        source: PREACT,
        input: MNIST,
        classes: 10,
        build: || resnet(1),
    },
    Preset {
        name: "preact-resnet20-cifar",
        about: "pre-activation residual net of 20 layers, 16-32-64 channels, batch norm",
        source: PREACT,
        input: CIFAR,
        classes: 10,
        build: || resnet(3),
    },
];

/// LeNet-5 with every map of the second stage connected to all of the first, plain pooling and a softmax
/// head.
fn lenet(first_padding: Option<Padding>) -> ModelConfig {
    let block = BlockConfig {
        activation: Activation::Tanh,
        init: InitConfig {
            weight: WeightInit::GlorotUniform,
            ..InitConfig::default()
        },
        ..BlockConfig::default()
    };
    ModelConfig::Cnn(CnnConfig {
        kernel: 5,
        padding: Padding::Valid,
        first_padding,
        pool: Pool::Average,
        ..cnn_config(&[6, 16], &[120, 84], block)
    })
}

fn vgg(channels: &[usize], dense: usize) -> ModelConfig {
    ModelConfig::Cnn(CnnConfig {
        convs: 2,
        ..cnn_config(channels, &[dense], batch_norm(0.5))
    })
}

fn resnet(units: usize) -> ModelConfig {
    ModelConfig::Resnet(ResnetConfig {
        units,
        block: batch_norm(0.0),
        ..ResnetConfig::new([16, 32, 64])
    })
}

fn batch_norm(rate: f64) -> BlockConfig {
    BlockConfig {
        norm: NormConfig::Batch(BatchNormConfig::default()),
        dropout: DropoutConfig {
            rate,
            ..DropoutConfig::default()
        },
        ..BlockConfig::default()
    }
}

fn mlp(hidden: &[usize], block: BlockConfig) -> ModelConfig {
    ModelConfig::Mlp(MlpConfig {
        hidden: hidden.to_vec(),
        block,
        last_block: None,
    })
}

fn cnn(channels: &[usize], dense: &[usize], block: BlockConfig) -> ModelConfig {
    ModelConfig::Cnn(cnn_config(channels, dense, block))
}

fn cnn_config(channels: &[usize], dense: &[usize], block: BlockConfig) -> CnnConfig {
    CnnConfig {
        channels: channels.to_vec(),
        convs: 1,
        kernel: 3,
        padding: Padding::Same,
        first_padding: None,
        pool: Pool::Max,
        residual: false,
        dense: dense.to_vec(),
        block,
    }
}

/// The preset called `name`.
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|p| p.name == name)
}
