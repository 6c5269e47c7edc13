//! Models that are not of the zoo, behind one type.

use ablate_models::init::WeightInit;
use ablate_models::linear::{Linear, LinearConfig};
use ablate_models::zoo::{
    Architecture, Classifier, CustomConfig, CustomModel, Model, ParameterGroup, PerSeed,
    PlainClassifier,
};
use ablate_models::{ConfigError, Pass, Start};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId, RunningState};
use burn::nn;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

/// A plain module with parameters of several ranks and types, and a state that is not trained.
#[derive(Module, Debug)]
struct Plain {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    gamma: Param<Tensor<1>>,
    counts: Param<Tensor<1, Int>>,
    average: RunningState<Tensor<1>>,
    layer: nn::Linear,
}

impl Plain {
    fn new(device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::ones([4, 3], device)),
            bias: Param::from_tensor(Tensor::ones([3], device)),
            gamma: Param::from_tensor(Tensor::ones([3], device)),
            counts: Param::initialized(ParamId::new(), Tensor::ones([2], device)),
            average: RunningState::new(Tensor::ones([3], device)),
            layer: nn::LinearConfig::new(3, 2).init(device),
        }
    }
}

impl PlainClassifier for Plain {
    fn forward(&self, x: Tensor<2>, _: &Pass) -> Tensor<2> {
        let x = x.matmul(self.weight.val()) + self.bias.val().unsqueeze();
        self.layer.forward(x * self.gamma.val().unsqueeze())
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct PlainConfig;

impl Architecture for PlainConfig {
    type Model = PerSeed<Plain>;
    const VERSION: u32 = 1;

    fn init(&self, _: [usize; 3], _: usize, start: &Start) -> Result<PerSeed<Plain>, ConfigError> {
        PerSeed::new(start, |start| {
            Ok(start.redraw(Plain::new(&start.device), WeightInit::HeNormal))
        })
    }
}

/// A stacked model, and one that forgets the axis of replicas.
#[derive(Debug, Serialize, Deserialize)]
struct StackedConfig {
    forgets: bool,
}

#[derive(Module, Debug)]
struct Stacked {
    layer: Linear,
    shift: Param<Tensor<2>>,
}

impl Classifier for Stacked {
    fn forward(&self, x: Tensor<3>, _: &Pass) -> Tensor<3> {
        self.layer.forward(x) + self.shift.val().unsqueeze_dim(1)
    }

    fn group(path: &[String]) -> Option<ParameterGroup> {
        match path.last().map(String::as_str) {
            Some("shift") => Some(ParameterGroup::Center),
            _ => ParameterGroup::of_name(path),
        }
    }
}

impl Architecture for StackedConfig {
    type Model = Stacked;
    const VERSION: u32 = 7;

    fn init(
        &self,
        input: [usize; 3],
        classes: usize,
        start: &Start,
    ) -> Result<Stacked, ConfigError> {
        let layer = LinearConfig {
            inputs: input.iter().product(),
            outputs: classes,
            bias: None,
            init: WeightInit::HeNormal,
        };
        let replicas = if self.forgets { 1 } else { start.replicas() };
        let zeros = vec![0.0; replicas * classes];
        Ok(Stacked {
            layer: layer.init("layer", start),
            shift: Param::from_tensor(start.tensor(zeros, [replicas, classes])),
        })
    }
}

fn start(seeds: &[u64]) -> Start {
    Start::new(seeds, &Device::flex().autodiff())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec_as::<f32>().unwrap()
}

/// Path and values of every float that a visitor meets, and the number of other parameters.
fn seen<M: Module>(module: &M) -> (Vec<(String, Vec<f32>)>, usize) {
    #[derive(Default)]
    struct Seen {
        path: Vec<String>,
        floats: Vec<(String, Vec<f32>)>,
        others: usize,
    }
    impl ModuleVisitor for Seen {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.floats.push((self.path.join("."), values(param.val())));
        }
        fn visit_int<const D: usize>(&mut self, _: &Param<Tensor<D, Int>>) {
            self.others += 1;
        }
    }
    let mut found = Seen::default();
    module.visit(&mut found);
    (found.floats, found.others)
}

struct Double;

impl ModuleMapper for Double {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let trains = tensor.is_require_grad();
            Tensor::from_inner(tensor.inner() * 2.0).set_require_grad(trains)
        })
    }
}

#[test]
fn erased_module_is_visited_and_mapped_like_itself() {
    let plain = Plain::new(&Device::flex());
    struct Wrapped;
    impl ModuleMapper for Wrapped {}
    let seeds = PerSeed::new(&Start::new([1], &Device::flex()), |_| Ok(plain.clone())).unwrap();
    let erased = CustomModel::new(seeds.clone());
    assert_eq!(seen(&erased), seen(&seeds));
    assert_eq!(seen(&erased).1, 1);
    assert_eq!(seen(&erased.clone().map(&mut Wrapped)), seen(&seeds));
    assert_eq!(erased.num_params(), seeds.num_params());
    let doubled = seen(&CustomModel::new(seeds.clone().train()).map(&mut Double)).0;
    for ((path, new), (_, old)) in doubled.iter().zip(seen(&seeds).0) {
        let twice: Vec<f32> = old.iter().map(|value| 2.0 * value).collect();
        assert_eq!(*new, twice, "{path}");
    }
}

#[test]
fn redrawn_modules_depend_on_their_seed_only() {
    let build = |seeds: &[u64]| {
        let config = CustomConfig::new("plain", PlainConfig).unwrap();
        seen(&config.init([1, 4, 1], 2, &start(seeds)).unwrap()).0
    };
    let (both, alone) = (build(&[5, 6]), build(&[6]));
    assert_eq!(both, build(&[5, 6]));
    let n = alone.len();
    for ((path, own), (_, other)) in both[n..].iter().zip(&alone) {
        assert_eq!(own, other, "{path}");
    }
    let named = |list: &[(String, Vec<f32>)], name: &str| -> Vec<f32> {
        let found = list.iter().find(|(path, _)| path.ends_with(name));
        found.unwrap().1.clone()
    };
    assert_ne!(named(&both[..n], "0.weight"), named(&both[n..], "1.weight"));
    assert_eq!(named(&both, "layer.bias"), [0.0; 2]);
    assert_eq!(named(&both, "0.bias"), [0.0; 3]);
    for kept in ["gamma", "average"] {
        assert_eq!(named(&both, kept), [1.0; 3], "{kept}");
    }
}

#[test]
fn plain_modules_classify_like_themselves() {
    let config = CustomConfig::new("plain", PlainConfig).unwrap();
    let x = start(&[0]).tensor((0..24).map(f64::from).collect(), [2, 3, 4]);
    let both = config.init([1, 4, 1], 2, &start(&[5, 6])).unwrap();
    let logits = both.forward(x.clone(), &Pass::evaluate());
    assert_eq!(logits.dims(), [2, 3, 2]);
    let alone = config.init([1, 4, 1], 2, &start(&[6])).unwrap();
    let second = alone.forward(x.narrow(0, 1, 1), &Pass::evaluate());
    assert_eq!(values(logits)[6..], values(second));
}

#[test]
fn rules_say_group_and_replica() {
    let path = |text: &str| -> Vec<String> { text.split('.').map(str::to_owned).collect() };
    let plain = CustomConfig::new("plain", PlainConfig).unwrap();
    let rules = plain.init([1, 4, 1], 2, &start(&[5, 6])).unwrap().rules();
    assert_eq!((rules.replica)(&path("seeds.1.layer.weight")), Some(1));
    let group = (rules.group)(&path("seeds.1.layer.weight"));
    assert_eq!(group, Some(ParameterGroup::Weight));
    assert_eq!(
        (rules.group)(&path("seeds.1.gamma")),
        Some(ParameterGroup::Scale)
    );

    let stacked = CustomConfig::new("stacked", StackedConfig { forgets: false }).unwrap();
    let model = Model::Custom(stacked.init([1, 4, 1], 2, &start(&[5, 6])).unwrap());
    assert_eq!((model.rules().replica)(&path("layer.weight")), None);
    assert_eq!(
        (model.rules().group)(&path("shift")),
        Some(ParameterGroup::Center)
    );
    assert!(model.is_autodiff() && !model.valid().is_autodiff());
    // 2 replicas of 4 x 2 weights and a shift of 2.
    assert_eq!(model.trained_parameters(), 20);
    let cost = stacked.cost([1, 4, 1], 2).unwrap();
    assert_eq!((cost.parameters, cost.multiply_adds), (10, 8));
}

#[test]
fn missing_axis_of_replicas_is_an_error() {
    let config = CustomConfig::new("stacked", StackedConfig { forgets: true }).unwrap();
    let error = config.init([1, 4, 1], 2, &start(&[5, 6])).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("`shift` has the shape [1, 2]"),
        "{message}"
    );
    assert!(message.contains("`PerSeed`"), "{message}");
}
