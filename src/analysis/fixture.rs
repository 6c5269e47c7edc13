//! A small spec with records computed by a formula, for the tests of analysis, report and plot.

use crate::recipe::{DataName, Length, MetricSource, ProgramRecipe, Recipe};
use crate::record::{CellRecord, EpochRecord, Outcome, Scores};
use crate::run::fake;
use crate::spec::{
    Arm, Between, Claim, Contrast, ContrastKind, Direction, Expect, Factor, Held, InPractice,
    Level, Metric, Pairing, ProgramDesign, ProgramMetric, Published, Spec, When, pair,
};
use ablate_streams::{Purpose, Stream};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// An arm on MNIST with one learning rate.
pub(crate) fn arm(name: &str, epochs: usize) -> Arm {
    let mut net = fake::net(DataName::Mnist, 32);
    net.train.length = Length::Epochs(epochs);
    net.train.batch_size = 64;
    net.train.decay_on.clear();
    Arm {
        name: name.to_owned(),
        label: format!("{name} label"),
        levels: Vec::new(),
        recipe: Recipe::Net(net),
        learning_rates: vec![0.01],
    }
}

/// A primary contrast on test accuracy with a margin of 0.25 points.
pub(crate) fn contrast(treatment: &str, control: &str, expect: Expect) -> Contrast {
    Contrast {
        name: format!("{treatment}-vs-{control}"),
        claim: Some("C6".to_owned()),
        stratum: None,
        comparison: ContrastKind::arms(treatment, control),
        weights: pair(treatment, control),
        metric: Metric::TestAccuracy,
        when: When::Last,
        expect,
        margin: 0.25,
        primary: true,
        note: "The claim in one comparison.".to_owned(),
    }
}

/// A claim with the given strata.
pub(crate) fn claim(name: &str, strata: &[&str]) -> Claim {
    Claim {
        name: name.to_owned(),
        short: "A short sentence".to_owned(),
        sentence: "A sentence with a | in it.".to_owned(),
        stated: true,
        strata: strata.iter().map(|s| (*s).to_owned()).collect(),
        axis: None,
        kind: "accuracy".to_owned(),
        supports: "A gain.".to_owned(),
        contradicts: "A loss.".to_owned(),
        identities: vec![1, 4],
        probes: vec!["saturated".to_owned()],
        limits: vec!["Whether it holds for you.".to_owned()],
        in_practice: InPractice {
            supported: "Do.".to_owned(),
            contradicted: "Do not.".to_owned(),
            depends: "Compare.".to_owned(),
            undecided: "Wait.".to_owned(),
        },
    }
}

/// A spec on claim C6 with `arms` arms `a`, `b`, ..., `seeds` seeds and `epochs` epochs.
///
/// Every other arm is predicted to be equivalent to the first.
pub(crate) fn spec(arms: usize, seeds: u64, epochs: usize) -> Spec {
    let names: Vec<String> = ('a'..).take(arms).map(String::from).collect();
    Spec {
        name: "demo".to_owned(),
        path: PathBuf::from("experiments/demo.toml"),
        title: "Is the bias needed?".to_owned(),
        question: "Does a bias before batch norm change anything?".to_owned(),
        claim: Some("C6".to_owned()),
        bears_on: Vec::new(),
        sentence: Some("With `center=True` the layer needs no bias".to_owned()),
        reading: "Equivalent within the margin supports the claim.".to_owned(),
        designed: None,
        designed_reason: None,
        suites: vec!["standard".to_owned()],
        seeds: (0..seeds).collect(),
        looks: None,
        factors: Vec::new(),
        arms: names.iter().map(|name| arm(name, epochs)).collect(),
        contrasts: names
            .iter()
            .skip(1)
            .map(|name| contrast(name, "a", Expect::Equivalent))
            .collect(),
        identities: Vec::new(),
        published: vec![Published {
            arm: "a".to_owned(),
            metric: Metric::TestAccuracy,
            source: "Somebody 2016".to_owned(),
            place: Some("table 1".to_owned()),
            value: 97.9,
            sd: Some(0.1),
            n: Some(5),
            when: When::Last,
        }],
        figure: None,
        program: None,
        changes: Default::default(),
        source: Default::default(),
    }
}

/// A spec with three crossed factors: `norm` {none, batch} x `act` {relu, tanh} x `width` {8, 32}.
///
/// Its arms are `none-relu-8`, ... Its three contrasts are the main effect of the norm, the simple
/// effect of the norm with ReLU, and the interaction of norm and activation.
pub(crate) fn crossed(seeds: u64, epochs: usize) -> Spec {
    let level = |name: &str, value: Option<f64>| Level {
        name: name.to_owned(),
        label: format!("{name} label"),
        value,
    };
    let factor = |name: &str, levels: [Level; 2]| Factor {
        name: name.to_owned(),
        label: format!("{name} factor"),
        levels: levels.to_vec(),
    };
    let mut spec = spec(0, seeds, epochs);
    spec.published.clear();
    spec.factors = vec![
        factor("norm", [level("none", None), level("batch", None)]),
        factor("act", [level("relu", None), level("tanh", None)]),
        factor("width", [level("8", Some(8.0)), level("32", Some(32.0))]),
    ];
    for cell in [0, 1, 2, 3, 4, 5, 6, 7].map(|k| [k / 4, k / 2 % 2, k % 2]) {
        let parts = cell.iter().zip(&spec.factors);
        let names: Vec<&str> = parts.map(|(&l, f)| f.levels[l].name.as_str()).collect();
        let mut arm = arm(&names.join("-"), epochs);
        arm.levels = cell.to_vec();
        spec.arms.push(arm);
    }
    let comparison = |at: Vec<Held>, between: Vec<Between>| ContrastKind::Effect {
        factor: "norm".to_owned(),
        treatment: "batch".to_owned(),
        control: "none".to_owned(),
        at,
        between,
    };
    let relu = Held {
        factor: "act".to_owned(),
        levels: vec!["relu".to_owned()],
    };
    let tanh = Between {
        factor: "act".to_owned(),
        first: "tanh".to_owned(),
        second: "relu".to_owned(),
    };
    spec.contrasts = [
        ("main", comparison(Vec::new(), Vec::new())),
        ("simple", comparison(vec![relu], Vec::new())),
        ("interaction", comparison(Vec::new(), vec![tanh])),
    ]
    .into_iter()
    .map(|(name, comparison)| Contrast {
        name: name.to_owned(),
        weights: comparison
            .weights(&spec.factors, &spec.arms, &[])
            .expect("a full design"),
        comparison,
        ..contrast("a", "b", Expect::Better)
    })
    .collect();
    spec
}

/// One record per cell of `spec`, with learning curves that rise to about 97 %.
///
/// Each arm is 0.05 points better than the previous one. Noise is partly shared by the arms of a seed
/// and partly independent.
pub(crate) fn records(spec: &Spec) -> Vec<CellRecord> {
    let mut out = Vec::new();
    for (a, arm) in spec.arms.iter().enumerate() {
        for &rate in &arm.learning_rates {
            for &seed in &spec.seeds {
                out.push(record(arm, a, rate, seed));
            }
        }
    }
    out
}

fn record(arm: &Arm, number: usize, rate: f64, seed: u64) -> CellRecord {
    let net = arm.net().expect("the fixture's arms are nets");
    let times = net.train.evaluations();
    let shared: Vec<f64> = noise(seed, "shared", times.len());
    let own: Vec<f64> = noise(seed, &arm.name, times.len());
    let validated = net.data.validation > 0.0;
    let in_steps = matches!(net.train.length, Length::Steps(_));
    let epochs = (1..=times.len())
        .map(|epoch| {
            let rise = 60.0 * (-1.1 * epoch as f64).exp() * (1.0 + 0.2 * number as f64);
            let wobble = 0.15 * shared[epoch - 1] + 0.1 * own[epoch - 1];
            let accuracy = 97.0 + 0.05 * number as f64 - rise + wobble;
            let scores = |shift: f64| Scores {
                accuracy: accuracy + shift,
                nll: (100.0 - accuracy - shift) / 30.0,
                ece: 1.0 + 0.1 * own[epoch - 1].abs(),
            };
            let time = times[epoch - 1];
            EpochRecord {
                epoch: if in_steps { 0 } else { time },
                step: in_steps.then_some(time),
                train_loss: Some(2.3 / epoch as f64),
                validation: validated.then(|| scores(0.2)),
                test: Some(scores(0.0)),
                metrics: BTreeMap::new(),
            }
        })
        .collect();
    CellRecord {
        id: format!("{}-{rate}-{seed}", arm.name),
        arm: arm.name.clone(),
        seed,
        learning_rate: Some(rate),
        device: "ndarray".to_owned(),
        outcome: Outcome::Done,
        epochs,
        probes: BTreeMap::from([
            ("fold_error".to_owned(), 1e-7 * (seed + 1) as f64),
            ("saturated.0".to_owned(), 0.01 * (seed + 1) as f64),
            ("saturated.1".to_owned(), 0.02 * (seed + 1) as f64),
        ]),
        traces: BTreeMap::new(),
        series: BTreeMap::new(),
        misclassified: None,
    }
}

fn noise(seed: u64, path: &str, n: usize) -> Vec<f64> {
    Stream::new(seed, Purpose::Resample, path)
        .normals(0)
        .take(n)
        .collect()
}

/// A spec of programs with the metric `score` and no contrasts, and its records: two evaluations per cell.
pub(crate) fn program(arms: &[&str], seeds: u64) -> (Spec, Vec<CellRecord>) {
    let mut spec = self::spec(arms.len(), seeds, 1);
    spec.seeds = (1..=seeds).collect();
    spec.contrasts.clear();
    spec.published.clear();
    let score = Metric::Program(ProgramMetric {
        program: "score".to_owned(),
        label: "score".to_owned(),
        better: Direction::Higher,
        unit: "units".to_owned(),
        from_share: false,
    });
    spec.program = Some(ProgramDesign {
        metrics: vec![score],
        validation: None,
        paired: Pairing::Auto,
        scores: None,
    });
    for (arm, name) in spec.arms.iter_mut().zip(arms) {
        arm.name = (*name).to_owned();
        arm.learning_rates.clear();
        arm.recipe = Recipe::Program(ProgramRecipe {
            command: vec!["train".to_owned(), (*name).to_owned()],
            env: BTreeMap::new(),
            directory: PathBuf::new(),
            set: BTreeMap::new(),
            inputs: BTreeMap::new(),
            source: MetricSource::JsonLines,
            metrics: vec!["score".to_owned()],
            timeout: None,
        });
    }
    let mut records = Vec::new();
    for arm in &spec.arms {
        for &seed in &spec.seeds {
            let noise = noise(seed, &arm.name, 2);
            let epoch = |epoch: usize| EpochRecord {
                epoch,
                step: None,
                train_loss: None,
                validation: None,
                test: None,
                metrics: [("score".to_owned(), epoch as f64 + noise[epoch - 1])].into(),
            };
            records.push(CellRecord {
                id: format!("{}-{seed}", arm.name),
                arm: arm.name.clone(),
                seed,
                learning_rate: None,
                device: "cpu".to_owned(),
                outcome: Outcome::Done,
                epochs: vec![epoch(1), epoch(2)],
                probes: BTreeMap::new(),
                traces: BTreeMap::new(),
                series: BTreeMap::new(),
                misclassified: None,
            });
        }
    }
    (spec, records)
}

/// The test scores of an evaluation of a net.
pub(crate) fn test_scores(epoch: &mut EpochRecord) -> &mut Scores {
    epoch.test.as_mut().expect("the scores of a net")
}

/// Sets the last epoch's test accuracy of one cell.
pub(crate) fn set_accuracy(records: &mut [CellRecord], arm: &str, seed: u64, accuracy: f64) {
    let cell = records.iter_mut().find(|r| r.arm == arm && r.seed == seed);
    cell.and_then(|r| r.epochs.last_mut())
        .map(test_scores)
        .expect("a finished cell")
        .accuracy = accuracy;
}

/// Makes one cell diverge in its first epoch.
pub(crate) fn diverge(records: &mut [CellRecord], arm: &str, seed: u64) {
    let cell = records.iter_mut().find(|r| r.arm == arm && r.seed == seed);
    let cell = cell.expect("a cell");
    cell.outcome = Outcome::Diverged { epoch: 1 };
    cell.epochs.clear();
    cell.probes.clear();
    cell.traces.clear();
    cell.series.clear();
}
