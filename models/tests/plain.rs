//! The plain layers against burn's own, and against their stacked counterparts.

#[path = "../kernels/tests/support/testing.rs"]
mod testing;

use ablate_models::block::BlockConfig;
use ablate_models::norm::NormConfig;
use ablate_models::plain::{
    BatchNormConfig, CnnConfig, ConvBlockConfig, DenseBlock, DenseBlockConfig, Dropout,
    DropoutConfig, GroupNormConfig, LayerNormConfig, Mlp, MlpConfig, ResnetConfig,
};
use ablate_models::{Pass, Stacked, Start};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use testing::{assert_close, for_each_device, values};

fn images(shape: [usize; 4], device: &Device) -> Tensor<4> {
    let values = (0..shape.iter().product::<usize>()).map(|i| (i as f64 * 0.73).sin() + 0.2);
    Start::new([0], device).tensor(values.collect(), shape)
}

#[test]
fn batch_norm_equals_that_of_burn() {
    for_each_device(|device| {
        let device = &device.clone().autodiff();
        let config = burn::nn::BatchNormConfig::new(3)
            .with_momentum(0.3)
            .with_epsilon(1e-3);
        let theirs = config.init(device);
        let ours = BatchNormConfig::from(config).init(device);
        for _ in 0..3 {
            let x = images([4, 3, 5, 2], device);
            let (a, b) = (ours.forward(x.clone()), theirs.forward(x));
            assert_close(&values(a), &values(b), 1e-6);
        }
        let x = images([2, 3, 4, 4], device).inner();
        let (a, b) = (ours.valid().forward(x.clone()), theirs.valid().forward(x));
        assert_close(&values(a), &values(b), 1e-6);
    });
}

#[test]
fn layer_and_group_norm_equal_those_of_burn() {
    for_each_device(|device| {
        let x: Tensor<2> = images([4, 6, 1, 1], device).reshape([4, 6]);
        let config = burn::nn::LayerNormConfig::new(6).with_epsilon(1e-3);
        let theirs = config.init(device).forward(x.clone());
        let ours = LayerNormConfig::from(config).init(device).forward(x);
        assert_close(&values(ours), &values(theirs), 1e-6);

        let x = images([3, 6, 4, 2], device);
        let config = burn::nn::GroupNormConfig::new(2, 6);
        let theirs = config.init(device).forward(x.clone());
        let ours = GroupNormConfig::from(config).init(device).forward(x);
        assert_close(&values(ours), &values(theirs), 1e-6);
    });
}

#[test]
fn convolution_block_equals_the_layers_of_burn() {
    for_each_device(|device| {
        let block = ConvBlockConfig::new([2, 3], 3).with_stride(2).init(device);
        let mut conv = burn::nn::conv::Conv2dConfig::new([2, 3], [3, 3])
            .with_stride([2, 2])
            .with_padding(burn::nn::PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(device);
        // Rows of the flat weights are the pixels of a patch, channels fastest.
        let weight = block.stacked().conv.weight.val().reshape([3, 3, 2, 3]);
        conv.weight = Param::from_tensor(weight.permute([3, 2, 0, 1]));
        let bias = block.stacked().conv.bias.as_ref().expect("it has one");
        conv.bias = Some(Param::from_tensor(bias.val().squeeze_dim(0)));
        let x = images([2, 2, 7, 6], device);
        let theirs = burn::tensor::activation::relu(conv.forward(x.clone()));
        assert_close(&values(block.forward(x)), &values(theirs), 1e-5);
    });
}

#[test]
fn models_equal_their_stacks() {
    for_each_device(|device| {
        let block = BlockConfig {
            norm: NormConfig::Batch(ablate_models::norm::BatchNormConfig::default()),
            ..BlockConfig::default()
        };
        let mlp = MlpConfig::new(8, [6, 5], 3)
            .with_block(block.clone())
            .with_seed(Some(7));
        let stack = mlp
            .net
            .init(8, 3, &Start::new([4, 7], device))
            .expect("can be built");
        let replica = Mlp::from_stacked(stack.replica(1).expect("there are two"));
        let x: Tensor<2> = images([4, 8, 1, 1], device).reshape([4, 8]);
        for pass in [Pass::evaluate(), Pass::train()] {
            let alone = mlp.init(device).forward_with(x.clone(), &pass);
            let picked = replica.clone().forward_with(x.clone(), &pass);
            assert_eq!(values(alone), values(picked));
        }

        let cnn = CnnConfig::new([2, 6, 4], [3], 3)
            .with_block(block)
            .with_seed(Some(1));
        let x = images([3, 2, 6, 4], device);
        let stack = cnn
            .net
            .init([6, 4, 2], 3, &Start::new([1], device))
            .expect("can be built");
        let pixels: Tensor<3> = x.clone().permute([0, 2, 3, 1]).reshape([1, 3, 48]);
        let expected = values(stack.forward(pixels, &Pass::evaluate()));
        assert_eq!(
            values(cnn.init(device).forward_with(x.clone(), &Pass::evaluate())),
            expected
        );

        let resnet = ResnetConfig::new([2, 6, 4], [3, 4], 3)
            .with_units(2)
            .with_seed(Some(1));
        let stack = resnet
            .net
            .init([6, 4, 2], 3, &Start::new([1], device))
            .expect("can be built");
        let pixels: Tensor<3> = x.clone().permute([0, 2, 3, 1]).reshape([1, 3, 48]);
        let expected = values(stack.forward(pixels, &Pass::evaluate()));
        assert_eq!(values(resnet.init(device).forward(x)), expected);
    });
}

/// Layers alone in a module of one's own.
#[derive(Module, Debug)]
struct Own {
    first: DenseBlock,
    second: DenseBlock,
    dropout: Dropout,
}

impl Own {
    fn new(device: &Device) -> Self {
        Self {
            first: DenseBlockConfig::new(8, 8).with_dropout(0.5).init(device),
            second: DenseBlockConfig::new(8, 8).with_dropout(0.5).init(device),
            dropout: DropoutConfig::new(0.5).init(),
        }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.dropout
            .forward(self.second.forward(self.first.forward(x)))
    }
}

#[test]
fn module_of_own_trains_evaluates_and_freezes() {
    for_each_device(|device| {
        let device = &device.clone().autodiff();
        let own = Own::new(device);
        let x: Tensor<2> = images([4, 8, 1, 1], device).reshape([4, 8]);
        let first = values(own.forward(x.clone()));
        assert_ne!(first, values(own.forward(x.clone())), "masks do not repeat");
        let evaluated = values(own.valid().forward(x.clone().inner()));
        assert_eq!(evaluated, values(own.valid().forward(x.clone().inner())));
        let frozen = own.clone().freeze();
        assert_eq!(values(frozen.forward(x.clone())), evaluated);

        let mut half = own.clone();
        half.first = half.first.freeze();
        let gradients = half.forward(x).sum().backward();
        let weight = |block: &DenseBlock| block.stacked().linear.weight.val();
        assert!(weight(&half.first).grad(&gradients).is_none());
        assert!(weight(&half.second).grad(&gradients).is_some());
    });
}

#[test]
fn layers_without_seeds_differ_and_with_a_seed_agree() {
    for_each_device(|device| {
        let weights =
            |config: &DenseBlockConfig| values(config.init(device).stacked().linear.weight.val());
        let config = DenseBlockConfig::new(3, 3);
        assert_ne!(weights(&config), weights(&config));
        let seeded = config.with_seed(Some(5));
        assert_eq!(weights(&seeded), weights(&seeded));
    });
}

#[test]
#[should_panic(expected = "`norm.epsilon` must be")]
fn settings_out_of_range_panic_with_the_key() {
    for_each_device(|device| {
        BatchNormConfig::new(2).with_epsilon(-1.0).init(device);
    });
}
