//! Reading, writing and rejecting configurations.

#[path = "../kernels/tests/support/testing.rs"]
#[expect(dead_code, reason = "no numbers are compared here")]
mod testing;

use ablate_kernels::activation::Activation;
use ablate_models::cnn::Pool;
use ablate_models::dropout::DropoutConfig;
use ablate_models::norm::{BatchNormConfig, NormConfig};
use ablate_models::zoo::{ModelConfig, PRESETS};
use ablate_models::{ConfigError, Start};
use testing::for_each_device;

/// Models with each kind of norm and no key at its default.
fn unusual() -> Vec<ModelConfig> {
    let norms = [
        "kind = 'none'",
        "kind = 'batch'\nscale = false\ncenter = false\nmomentum = 0.01\nepsilon = 1e-3\n\
         bias_correction = true\nrunning_variance = 'unbiased'",
        "kind = 'layer'\nscale = false\ncenter = false\nepsilon = 1e-3",
        "kind = 'group'\ngroups = 3\nscale = false\ncenter = false\nepsilon = 1e-3",
    ];
    let of = |norm: &str| {
        format!(
            "kind = 'cnn'\nchannels = [3, 6]\nconvs = 2\nkernel = 5\npool = 'average'\n\
             residual = true\ndense = [9]\n[block]\nactivation = 'leaky_relu'\n\
             position = 'after'\nbias = 'off'\n[block.norm]\n{norm}\n[block.dropout]\n\
             rate = 0.1\nconv_rate = 0.2\ninput_rate = 0.3\nplacement = 'before_norm'\n\
             spatial = true\n[block.init]\nweight = 'truncated_normal_0.1'\nbias = 0.1\n\
             center = 0.2"
        )
    };
    let texts = norms.map(of);
    let parse = |text: &String| toml::from_str(text).expect(text);
    texts.iter().map(parse).collect()
}

#[test]
fn configurations_round_trip_through_json_and_toml() {
    let presets = PRESETS.iter().map(|preset| preset.config());
    for config in presets.chain(unusual()) {
        let json = serde_json::to_string(&config).expect("configurations are plain data");
        assert_eq!(
            serde_json::from_str::<ModelConfig>(&json).expect(&json),
            config
        );
        let toml = toml::to_string(&config).expect("configurations are plain data");
        assert_eq!(toml::from_str::<ModelConfig>(&toml).expect(&toml), config);
    }
}

#[test]
fn missing_keys_get_their_documented_defaults() {
    let config: ModelConfig =
        toml::from_str("kind = 'cnn'\nchannels = [4]\n[block.norm]\nkind = 'batch'\nscale = false")
            .expect("a short model");
    let ModelConfig::Cnn(cnn) = config else {
        panic!("not a convolutional net: {config:?}");
    };
    assert_eq!((cnn.convs, cnn.kernel, cnn.pool), (1, 3, Pool::Max));
    assert!(!cnn.residual && cnn.dense.is_empty());
    assert_eq!(cnn.block.activation, Activation::Relu);
    let expected = BatchNormConfig {
        scale: false,
        ..BatchNormConfig::default()
    };
    assert_eq!(cnn.block.norm, NormConfig::Batch(expected));
    assert_eq!(cnn.block.dropout, DropoutConfig::default());
}

#[test]
fn unknown_keys_are_rejected_at_every_level() {
    let rejected = [
        "kind = 'mlp'\nhidden = [3]\nextra = 1",
        "kind = 'cnn'\nchannels = [3]\nextra = 1",
        "kind = 'mlp'\nhidden = [3]\n[block]\nextra = 1",
        "kind = 'mlp'\nhidden = [3]\n[block.init]\nextra = 1",
        "kind = 'mlp'\nhidden = [3]\n[block.dropout]\nextra = 1",
        "kind = 'mlp'\nhidden = [3]\n[block.norm]\nkind = 'none'\nextra = 1",
        "kind = 'mlp'\nhidden = [3]\n[block.norm]\nkind = 'batch'\nextra = 1",
        "kind = 'mlp'\nhidden = [3]\n[block.norm]\nkind = 'layer'\nextra = 1",
        "kind = 'mlp'\nhidden = [3]\n[block.norm]\nkind = 'group'\nextra = 1",
    ];
    for text in rejected {
        let error = toml::from_str::<ModelConfig>(text).expect_err(text);
        assert!(error.to_string().contains("extra"), "{error}");
        let accepted = text.replace("\nextra = 1", "");
        toml::from_str::<ModelConfig>(&accepted).expect(&accepted);
    }
    let misspelt = "kind = 'mlp'\nhidden = [3]\n[block]\nactivation = 'rellu'";
    assert!(toml::from_str::<ModelConfig>(misspelt).is_err());
}

fn key_of(result: Result<impl Sized, ConfigError>) -> String {
    match result {
        Ok(_) => "nothing".to_owned(),
        Err(error) => error.key,
    }
}

#[test]
fn errors_name_the_faulty_key() {
    let cases = [
        ("hidden", "kind = 'mlp'\nhidden = [3, 0]"),
        ("channels", "kind = 'cnn'\nchannels = []"),
        ("channels", "kind = 'cnn'\nchannels = [4, 0]"),
        ("dense", "kind = 'cnn'\nchannels = [4]\ndense = [0]"),
        ("convs", "kind = 'cnn'\nchannels = [4]\nconvs = 0"),
        ("kernel", "kind = 'cnn'\nchannels = [4]\nkernel = 0"),
        ("residual", "kind = 'cnn'\nchannels = [4]\nresidual = true"),
        (
            "block.dropout.rate",
            "kind = 'mlp'\nhidden = [3]\n[block.dropout]\nrate = 1.0",
        ),
        (
            "block.dropout.rate",
            "kind = 'mlp'\nhidden = [3]\n[block.dropout]\nrate = 0.999999",
        ),
        (
            "block.dropout.rate",
            "kind = 'mlp'\nhidden = [3]\n[block.dropout]\nrate = nan",
        ),
        (
            "block.dropout.conv_rate",
            "kind = 'mlp'\nhidden = [3]\n[block.dropout]\nconv_rate = -0.1",
        ),
        (
            "block.dropout.input_rate",
            "kind = 'mlp'\nhidden = [3]\n[block.dropout]\ninput_rate = 2.0",
        ),
        (
            "block.dropout.placement",
            "kind = 'mlp'\nhidden = [3]\n[block.dropout]\nplacement = 'before_norm'",
        ),
        (
            "block.norm.momentum",
            "kind = 'mlp'\nhidden = [3]\n[block.norm]\nkind = 'batch'\nmomentum = 0.0",
        ),
        (
            "block.norm.momentum",
            "kind = 'mlp'\nhidden = [3]\n[block.norm]\nkind = 'batch'\nmomentum = 1.5",
        ),
        (
            "block.norm.epsilon",
            "kind = 'mlp'\nhidden = [3]\n[block.norm]\nkind = 'batch'\nepsilon = 0.0",
        ),
        (
            "block.norm.epsilon",
            "kind = 'mlp'\nhidden = [3]\n[block.norm]\nkind = 'layer'\nepsilon = inf",
        ),
        (
            "block.norm.groups",
            "kind = 'mlp'\nhidden = [3]\n[block.norm]\nkind = 'group'\ngroups = 0",
        ),
        (
            "block.init.bias",
            "kind = 'mlp'\nhidden = [3]\n[block.init]\nbias = nan",
        ),
    ];
    for (key, text) in cases {
        let config: ModelConfig = toml::from_str(text).expect(text);
        assert_eq!(key_of(config.check()), key, "{text}");
        for_each_device(|device| {
            let start = Start::new([1], device);
            assert_eq!(key_of(config.init([8, 8, 1], 2, &start)), key, "{text}");
        });
    }
}

#[test]
fn models_that_do_not_fit_the_images_are_rejected() {
    for_each_device(|device| {
        let start = Start::new([1], device);
        let built = |text: &str, input| {
            let config: ModelConfig = toml::from_str(text).expect(text);
            assert_eq!(config.check(), Ok(()));
            config.init(input, 2, &start).map(drop)
        };
        let deep = "kind = 'cnn'\nchannels = [2, 2, 2]";
        assert_eq!(built(deep, [8, 8, 1]), Ok(()));
        let error = built(deep, [8, 7, 1]).expect_err("pooled to nothing");
        assert_eq!(error.key, "channels");
        assert!(error.message.contains("8x7"), "{error}");
        let config: ModelConfig = toml::from_str(deep).expect(deep);
        assert_eq!(config.cost([8, 7, 1], 2), Err(error));

        let grouped = "kind = 'mlp'\nhidden = [9]\n[block.norm]\nkind = 'group'\ngroups = 4";
        let error = built(grouped, [8, 8, 1]).expect_err("4 does not divide 9");
        assert_eq!(
            error.to_string(),
            "`norm.groups` is 4, which does not divide 9 channels"
        );
    });
}
