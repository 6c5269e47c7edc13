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
    let residual = |text: &String| {
        text.replace("'cnn'", "'resnet'")
            .replace("convs = 2", "units = 2")
            .replace("pool = 'average'\nresidual = true\ndense = [9]\n", "")
            .replace("\nrate = 0.1\n", "\n")
    };
    let texts = norms.map(of);
    let first = texts[0].replace("pool =", "padding = 'same'\nfirst_padding = 'same'\npool =");
    let texts = texts.iter().cloned().chain(texts.iter().map(residual));
    let parse = |text: String| toml::from_str(&text).expect(&text);
    texts.chain([first]).map(parse).collect()
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
    assert!(!cnn.residual && cnn.dense.is_empty() && cnn.first_padding.is_none());
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
        "kind = 'resnet'\nchannels = [3]\nextra = 1",
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
            "residual",
            "kind = 'cnn'\nchannels = [4]\nconvs = 2\nresidual = true\nfirst_padding = 'valid'",
        ),
        ("channels", "kind = 'resnet'\nchannels = []"),
        ("channels", "kind = 'resnet'\nchannels = [4, 0]"),
        ("units", "kind = 'resnet'\nchannels = [4]\nunits = 0"),
        ("kernel", "kind = 'resnet'\nchannels = [4]\nkernel = 0"),
        (
            "block.dropout.rate",
            "kind = 'resnet'\nchannels = [4]\n[block.dropout]\nrate = 0.5",
        ),
        (
            "block.norm.epsilon",
            "kind = 'resnet'\nchannels = [4]\n[block.norm]\nkind = 'batch'\nepsilon = 0.0",
        ),
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

#[test]
fn first_padding_is_that_of_the_first_stage_only() {
    let text = "kind = 'cnn'\nchannels = [6, 16]\nkernel = 5\npadding = 'valid'";
    let sizes = |text: &str| {
        let ModelConfig::Cnn(cnn) = toml::from_str(text).expect(text) else {
            panic!("not a convolutional net");
        };
        cnn.sizes([28, 28, 1]).expect("large enough")
    };
    let own = format!("{text}\nfirst_padding = 'same'");
    let of = |n: [usize; 4]| {
        let stage = |[a, b]: [usize; 2], c| vec![[a, a, c], [b, b, c]];
        vec![stage([n[0], n[1]], 6), stage([n[2], n[3]], 16)]
    };
    assert_eq!(sizes(text), of([24, 12, 8, 4]));
    assert_eq!(sizes(&own), of([28, 14, 10, 5]));
    // A setting that is not used is not written.
    let config: ModelConfig = toml::from_str(text).expect(text);
    let written = toml::to_string(&config).expect("plain data");
    assert!(!written.contains("first_padding"), "{written}");
}
