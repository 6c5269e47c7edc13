//! Every committed experiment: it parses, its design is sound, its arms can be built for its data,
//! and a report can be made of it.

mod documentation;

use ablate::data::{self, entry};
use ablate::plan::{Plan, warnings};
use ablate::recipe::{DataName, Length, Scale, Schedule};
use ablate::report::derive;
use ablate::run::fake::FakeTrainer;
use ablate::spec::{self, Arm, Contrast, ContrastKind, Expect, Metric, Spec};
use ablate_models::init::WeightInit;
use ablate_models::norm::{Averaging, NormConfig};
use ablate_models::zoo::{ModelConfig, preset};
use std::path::Path;

/// The margins of the standard suite, in points and nats; METHODOLOGY says why.
const DIGITS_ACCURACY_MARGIN: f64 = 0.5;
const DIGITS_NLL_MARGIN: f64 = 0.02;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn committed() -> Vec<Spec> {
    spec::all(&root().join("experiments")).unwrap_or_else(|e| panic!("{e}"))
}

fn in_suite(suite: &str) -> Vec<Spec> {
    let mut specs = committed();
    specs.retain(|spec| spec.suites.iter().any(|s| s == suite));
    specs
}

fn arm<'s>(spec: &'s Spec, name: &str) -> &'s Arm {
    let found = spec.arms.iter().find(|arm| arm.name == name);
    found.expect("the reader checks that contrasts name arms")
}

#[test]
fn the_suites_hold_what_they_are_said_to_hold() {
    let names = |suite| -> Vec<String> { in_suite(suite).into_iter().map(|s| s.name).collect() };
    let standard = [
        "bn-bias",
        "bn-bias-cnn",
        "bn-position",
        "bn-position-cnn",
        "bn-scale",
        "bn-scale-cnn",
        "dropout",
        "dropout-cnn",
    ];
    assert_eq!(names("standard"), standard);
    let mnist = [
        "mnist-bn-bias",
        "mnist-bn-position",
        "mnist-bn-scale",
        "mnist-cnn",
        "mnist-dropout",
        "mnist-dropout-wide",
        "mnist-mlp",
        "mnist-pyramid-affine",
        "mnist-wide-epochs",
    ];
    assert_eq!(names("mnist"), mnist);
    let fashion = [
        "fashion-bn-bias",
        "fashion-bn-position",
        "fashion-bn-scale",
        "fashion-dropout",
    ];
    assert_eq!(names("fashion"), fashion);
    assert_eq!(names("smoke"), ["smoke"]);
    assert_eq!(names("devices"), ["backends", "backends-mnist"]);
    for name in names("claims") {
        assert!(
            !standard.contains(&name.as_str()),
            "{name} is in two suites"
        );
    }
    for spec in committed() {
        assert_eq!(spec.suites.len(), 1, "{} is in one suite", spec.name);
    }
}

#[test]
fn no_design_has_a_weakness_but_the_smoke_test() {
    for spec in committed() {
        let said: Vec<String> = warnings(&spec).iter().map(ToString::to_string).collect();
        if spec.name == "smoke" {
            let [seeds] = &said[..] else {
                panic!("{said:?}")
            };
            assert!(seeds.contains("with 3 seeds"), "{seeds}");
        } else {
            assert!(said.is_empty(), "{}: {said:?}", spec.name);
        }
    }
}

#[test]
fn every_experiment_says_when_it_was_designed() {
    for spec in committed() {
        assert!(spec.designed.is_some(), "{}", spec.name);
    }
}

/// An average over a factor may hide an interaction, so it must not decide a claim.
#[test]
fn contrasts_that_decide_claims_average_over_nothing() {
    let mut decide = 0;
    for spec in committed() {
        for contrast in spec
            .contrasts
            .iter()
            .filter(|c| c.primary && c.claim.is_some())
        {
            decide += 1;
            let ContrastKind::Effect { factor, at, .. } = &contrast.comparison else {
                continue;
            };
            let others = spec.factors.iter().filter(|other| other.name != *factor);
            for other in others {
                let held = at.iter().find(|held| held.factor == other.name);
                let levels = held.map(|held| held.levels.len());
                assert_eq!(
                    levels,
                    Some(1),
                    "{}: {}: {}",
                    spec.name,
                    contrast.name,
                    other.name
                );
            }
        }
    }
    assert!(decide > 40, "{decide}");
}

#[test]
fn every_arm_can_be_built_for_its_data() {
    for spec in committed() {
        for arm in &spec.arms {
            let data = entry(arm.net().unwrap().data.name);
            let cost = arm
                .net()
                .unwrap()
                .model
                .cost(data.image_shape(), data.classes());
            let cost = cost.unwrap_or_else(|e| panic!("{}: {}: {e}", spec.name, arm.name));
            assert!(cost.parameters > 0 && cost.multiply_adds > 0);
        }
    }
}

#[test]
fn every_batch_fits_into_the_training_split() {
    for spec in committed() {
        for arm in &spec.arms {
            let sizes = data::SplitSizes::of_published(&arm.net().unwrap().data);
            let sizes = sizes.unwrap_or_else(|e| panic!("{}: {}: {e}", spec.name, arm.name));
            assert!(
                arm.net().unwrap().train.batch_size <= sizes.train,
                "{}",
                spec.name
            );
        }
    }
}

#[test]
fn every_accuracy_margin_of_the_suites_is_more_than_one_test_image() {
    for spec in in_suite("standard").iter().chain(&in_suite("mnist")) {
        for contrast in &spec.contrasts {
            let data = &arm(spec, &contrast.weights[0].arm).net().unwrap().data;
            let images = data::SplitSizes::of_published(data).unwrap().test;
            if contrast.metric == Metric::TestAccuracy {
                let image = 100.0 / images as f64;
                assert!(contrast.margin > image, "{}: {}", spec.name, contrast.name);
            }
        }
    }
}

#[test]
fn the_standard_suite_has_the_design_that_methodology_describes() {
    for spec in in_suite("standard") {
        let name = &spec.name;
        assert_eq!(spec.seeds, (0..20).collect::<Vec<u64>>(), "{name}");
        assert!(spec.claim.is_some() && spec.sentence.is_some(), "{name}");
        for arm in &spec.arms {
            assert!(arm.learning_rates.len() >= 3, "{name}");
            assert_eq!(
                arm.net().unwrap().data,
                spec.arms[0].net().unwrap().data,
                "{name}"
            );
            assert_eq!(
                arm.net().unwrap().train,
                spec.arms[0].net().unwrap().train,
                "{name}"
            );
            assert_eq!(arm.net().unwrap().data.name, DataName::Digits, "{name}");
            assert_eq!(arm.net().unwrap().data.folds, 5, "{name}");
        }
        assert!(spec.contrasts.iter().any(|c| c.primary), "{name}");
        let primary = spec.contrasts.iter().filter(|c| c.primary).count();
        assert!(primary <= 4, "{name}: they share the error rate");
        for contrast in spec.contrasts.iter().filter(|c| c.primary) {
            let mut grids =
                (contrast.weights.iter()).map(|weight| &arm(&spec, &weight.arm).learning_rates);
            let first = grids.next().unwrap();
            assert!(grids.all(|grid| grid == first), "{name}: {}", contrast.name);
        }
        for contrast in &spec.contrasts {
            let margin = match contrast.metric {
                Metric::TestAccuracy => DIGITS_ACCURACY_MARGIN,
                Metric::TestNll => DIGITS_NLL_MARGIN,
                Metric::TestEce | Metric::Probe(_) | Metric::Program(_) => f64::NAN,
            };
            assert_eq!(contrast.margin, margin, "{name}: {}", contrast.name);
        }
    }
}

/// A contrast without the names of the arms.
fn prediction(contrast: &Contrast) -> (&str, &Metric, Expect, bool) {
    (
        &contrast.name,
        &contrast.metric,
        contrast.expect,
        contrast.primary,
    )
}

#[test]
fn a_dense_net_and_a_convolutional_net_are_asked_the_same() {
    for name in ["bn-position", "bn-bias", "bn-scale"] {
        let specs = in_suite("standard");
        let find = |name: &str| specs.iter().find(|s| s.name == name).unwrap();
        let (dense, conv) = (find(name), find(&format!("{name}-cnn")));
        assert_eq!(dense.sentence, conv.sentence);
        assert!(matches!(
            dense.arms[0].net().unwrap().model,
            ModelConfig::Mlp(_)
        ));
        assert!(matches!(
            conv.arms[0].net().unwrap().model,
            ModelConfig::Cnn(_)
        ));
        let asked: Vec<_> = dense.contrasts.iter().map(prediction).collect();
        for contrast in &conv.contrasts {
            assert!(asked.contains(&prediction(contrast)), "{name}");
        }
    }
}

#[test]
fn mnist_and_fashion_are_asked_what_the_digits_are_asked() {
    let specs = committed();
    let find = |name: &str| specs.iter().find(|s| s.name == name).unwrap();
    let sets = [
        ("mnist", DataName::Mnist),
        ("fashion", DataName::FashionMnist),
    ];
    for (set, data) in sets {
        for name in ["dropout", "bn-position", "bn-bias", "bn-scale"] {
            let (digits, other) = (find(name), find(&format!("{set}-{name}")));
            let name = &other.name;
            assert_eq!(digits.sentence, other.sentence, "{name}");
            assert_eq!(other.seeds, (0..10).collect::<Vec<u64>>(), "{name}");
            let asked: Vec<_> = digits.contrasts.iter().map(prediction).collect();
            for contrast in &other.contrasts {
                assert!(asked.contains(&prediction(contrast)), "{name}");
            }
            for arm in &other.arms {
                assert_eq!(arm.net().unwrap().data.name, data, "{name}");
                assert!(arm.learning_rates.len() >= 3, "{name}");
            }
        }
    }
}

#[test]
fn the_mnist_checks_train_presets_on_all_training_images_and_choose_nothing() {
    let checks = |spec: &&Spec| ["mnist-cnn", "mnist-mlp"].contains(&spec.name.as_str());
    for spec in in_suite("mnist").iter().filter(checks) {
        let [arm] = &spec.arms[..] else {
            panic!("{} has one arm", spec.name);
        };
        assert_eq!(arm.net().unwrap().data.validation, 0.0);
        assert_eq!(arm.learning_rates.len(), 1);
        assert_eq!(
            arm.net().unwrap().model,
            preset(&arm.name).unwrap().config()
        );
        assert_eq!((&spec.claim, spec.contrasts.len()), (&None, 0));
    }
}

#[test]
fn the_recipes_train_on_all_images_by_one_rate_an_arm_and_lay_published_numbers_beside_every_arm() {
    for (name, seeds) in [("mnist-pyramid-affine", 10), ("mnist-wide-epochs", 5)] {
        let spec = committed().into_iter().find(|spec| spec.name == name);
        let spec = spec.expect("it is committed");
        assert_eq!(spec.seeds, (0..seeds).collect::<Vec<u64>>());
        for arm in &spec.arms {
            assert_eq!(
                (
                    arm.net().unwrap().data.validation,
                    arm.net().unwrap().data.scale
                ),
                (0.0, Scale::Unit)
            );
            assert_eq!(arm.learning_rates.len(), 1, "{}", arm.name);
            assert!(
                spec.published.iter().any(|p| p.arm == arm.name),
                "{}",
                arm.name
            );
        }
    }
}

/// The numbers of CLAIMS for the pyramid, arm by arm.
#[test]
fn the_pyramid_has_the_published_numbers() {
    let specs = committed();
    let spec = specs
        .iter()
        .find(|spec| spec.name == "mnist-pyramid-affine");
    for arm in &spec.expect("it is committed").arms {
        let ModelConfig::Mlp(net) = &arm.net().unwrap().model else {
            panic!("a dense net");
        };
        assert_eq!(net.hidden, [200, 100, 60, 30]);
        let relu = arm.name.starts_with("relu");
        let start = if relu { 0.1 } else { 0.0 };
        let init = &net.block.init;
        assert_eq!((init.bias, init.center), (start, start), "{}", arm.name);
        assert_eq!(init.weight, WeightInit::TruncatedNormal);
        let (rate, tau) = match &net.block.norm {
            NormConfig::None => (0.003, 2000.0),
            NormConfig::Batch(norm) => {
                assert!(!net.block.has_bias(0.0), "{}", arm.name);
                assert_eq!((norm.momentum, norm.epsilon), (0.002, 1e-5));
                assert_eq!(norm.averaging, Averaging::Ramp);
                (0.03, 1000.0)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(arm.learning_rates, [rate]);
        assert_eq!(
            arm.net().unwrap().train.schedule,
            Schedule::Decay { to: 0.0001, tau }
        );
        assert_eq!(arm.net().unwrap().train.length, Length::Steps(10_000));
        assert_eq!(
            (
                arm.net().unwrap().train.batch_size,
                arm.net().unwrap().train.loss_scale
            ),
            (100, 100.0)
        );
    }
}

#[test]
fn a_report_can_be_made_of_every_experiment() {
    for spec in committed() {
        let plan = Plan::new(&spec, "flex", 8, "fake");
        let jobs = plan.jobs(|_| true);
        let records: Vec<_> = jobs.iter().flat_map(FakeTrainer::records).collect();
        let derived = derive(&spec, &records, None, None, Vec::new(), &Default::default())
            .unwrap_or_else(|e| panic!("{}: {e}", spec.name));
        let judged = spec.contrasts.iter().any(|c| c.primary);
        assert_eq!(derived.summary.verdict.is_some(), judged, "{}", spec.name);
        for arm in &spec.arms {
            let cell = format!("`{}`", arm.name);
            assert!(derived.report_md.contains(&cell), "{}: {cell}", spec.name);
        }
    }
}

#[test]
fn committed_claims_are_nine_with_eight_identities() {
    // Loading a spec checks that what it names is declared.
    let claims = spec::Claims::load(&root().join("experiments"))
        .unwrap_or_else(|e| panic!("{e}"))
        .expect("the file is there");
    let names: Vec<&str> = claims.claims.iter().map(|claim| &*claim.name).collect();
    assert_eq!(
        names,
        ["C1a", "C1b", "C2", "C3", "C4", "C5", "C6", "C7a", "C7b"]
    );
    // Only C7b goes beyond what its sentence states.
    let suggested = claims.claims.iter().filter(|claim| !claim.stated);
    assert_eq!(
        suggested.map(|claim| &*claim.name).collect::<Vec<_>>(),
        ["C7b"]
    );
    for claim in &claims.claims {
        assert!(
            claim.axis.is_some() && !claim.strata.is_empty(),
            "{}",
            claim.name
        );
    }
    let numbers: Vec<usize> = claims.identities.iter().map(|i| i.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
    committed();
}

/// What `spec.resolved.toml` holds gives the same experiment, from whatever folder it is read.
#[test]
fn resolved_experiments_give_the_same_cells() {
    let change = |text: &str| text.parse::<ablate::spec::Override>().unwrap();
    let ids = |spec: &Spec| Plan::new(spec, "flex", 1, "code").cells;
    for spec in committed() {
        // Some designs forbid some changes, such as one of a factor.
        let changed = ["train.batch_size=16", "data.validation=0.25", "seeds=2"];
        let changed = changed.map(|text| Spec::load(&spec.path, &[change(text)]));
        let all: Vec<Spec> = std::iter::once(spec.clone())
            .chain(changed.into_iter().flatten())
            .collect();
        assert!(all.len() > 2, "{}", spec.name);
        for ran in all {
            let text = ran.resolved("../../experiments/some.toml");
            let path = Path::new("elsewhere/spec.resolved.toml");
            let read = Spec::parse("spec.resolved", path, &text, &[]);
            let read = read.unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(read.name, ran.name);
            assert_eq!(read.seeds, ran.seeds, "{}", ran.name);
            assert_eq!(read.changes, ran.changes, "{}", ran.name);
            assert_eq!(ids(&read), ids(&ran), "{}", ran.name);
            assert_eq!(
                read.file(),
                Path::new("elsewhere/../../experiments/some.toml")
            );
            let without = |spec: &Spec| Spec {
                path: Default::default(),
                source: Default::default(),
                ..spec.clone()
            };
            assert_eq!(without(&read), without(&ran), "{}", ran.name);
            // Written again it is the same text.
            assert_eq!(read.resolved("../../experiments/some.toml"), text);
        }
    }
}
