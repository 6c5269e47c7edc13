//! Complete training steps of nets of the zoo, on real data.

use super::{devices, group};
use ablate::recipe::{NetRecipe, Recipe};
use ablate::train::Training;
use ablate::trainer::{Job, JobCell};
use criterion::{Criterion, Throughput};
use serde_json::{Value, json};

/// The nets: name, data, model, examples per step, replicas.
fn workloads() -> [(&'static str, &'static str, Value, usize, usize); 3] {
    let block = json!({ "norm": { "kind": "batch" }, "dropout": { "rate": 0.3 } });
    let mlp = json!({ "kind": "mlp", "hidden": [128, 128], "block": block });
    let cnn = json!({ "kind": "cnn", "channels": [16, 32], "dense": [64], "block": block });
    [
        ("mlp-64-128-128", "digits", mlp.clone(), 32, 1),
        ("mlp-64-128-128", "digits", mlp, 32, 10),
        ("cnn-8x8-16-32", "digits", cnn, 32, 1),
    ]
}

/// Steps of one job on all cores.
pub(crate) fn training_steps(criterion: &mut Criterion) {
    let mut group = group(criterion, "training_step");
    for (name, data, model, batch, replicas) in workloads() {
        group.throughput(Throughput::Elements((batch * replicas) as u64));
        for (device, _) in devices() {
            let cell = |seed| JobCell {
                id: String::new(),
                seed,
                learning_rate: Some(1e-3),
            };
            let job = Job {
                arm: name.to_owned(),
                device: device.to_owned(),
                recipe: Recipe::Net(NetRecipe {
                    data: serde_json::from_value(json!({ "name": data })).expect("a data set"),
                    model: serde_json::from_value(model.clone()).expect("a model"),
                    train: serde_json::from_value(
                        json!({ "length": { "epochs": 1 }, "batch_size": batch }),
                    )
                    .expect("a training"),
                    probes: Vec::new(),
                }),
                cells: (0..replicas as u64).map(cell).collect(),
                until: None,
            };
            let cores = ablate::machine::cores();
            let mut training = Training::new(&job, cores).expect("the digits are embedded");
            group.bench_function(
                format!("{name}-batch{batch}-replicas{replicas}/{device}"),
                |b| {
                    b.iter(|| training.steps(1));
                },
            );
        }
    }
}
