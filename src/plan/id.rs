//! Id of a cell: a hash of everything that determines its numbers.

use crate::data;
use crate::recipe::{Content, DataConfig, NetRecipe, ProgramRecipe, Recipe};
use crate::spec::Arm;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Hexadecimal digits of an id: 80 bits. A billion cells collide with a probability of one in a
/// million.
const DIGITS: usize = 20;
const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

/// Keys of the fields that differ between the cells of an arm.
const RATE: &str = "learning_rate";
const SEED: &str = "seed";

/// The part of an id that all cells of an arm share; without the name and label of the arm.
///
/// The content of the data is `null` where it is that of files that this machine does not have. It is kept
/// as text, because an experiment has up to millions of cells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SharedPart {
    /// Fields before the learning rate, each with a comma after it.
    before: String,
    /// Fields between learning rate and seed, each with a comma after it.
    between: String,
    /// Fields after the seed, each with a comma before it.
    after: String,
}

/// The part of an id that all cells of an arm with one learning rate share.
pub(super) struct AtRate<'a> {
    start: Sha256,
    after: &'a str,
}

impl SharedPart {
    /// `fingerprint` identifies the built-in code that computes the numbers of nets. A program has its own
    /// code, the files that it lists as inputs.
    pub(super) fn new(arm: &Arm, device: &str, fingerprint: &str) -> Self {
        let mut fields = match &arm.recipe {
            Recipe::Net(net) => of_net(net, device, fingerprint),
            Recipe::Program(program) => of_program(program, device),
        };
        fields.sort_all_objects();
        let fields = fields.as_object().into_iter().flatten();
        let mut shared = Self {
            before: String::new(),
            between: String::new(),
            after: String::new(),
        };
        for (key, value) in fields {
            if key.as_str() < RATE {
                shared.before += &format!("\"{key}\":{value},");
            } else if key.as_str() < SEED {
                shared.between += &format!("\"{key}\":{value},");
            } else {
                shared.after += &format!(",\"{key}\":{value}");
            }
        }
        shared
    }

    pub(super) fn at(&self, learning_rate: Option<f64>) -> AtRate<'_> {
        AtRate {
            start: Sha256::new().chain_update(self.start(learning_rate)),
            after: &self.after,
        }
    }

    /// The canonical text of a cell up to its seed: JSON with sorted keys, no spaces, and shortest round-trip
    /// numbers.
    fn start(&self, learning_rate: Option<f64>) -> String {
        let rate = learning_rate.map(|rate| format!("\"{RATE}\":{},", Value::from(rate)));
        let (before, between) = (&self.before, &self.between);
        format!("{{{before}{}{between}\"{SEED}\":", rate.unwrap_or_default())
    }
}

impl AtRate<'_> {
    /// The first digits of SHA-256 over the canonical JSON of the cell.
    pub(super) fn id(&self, seed: u64) -> String {
        let hash = (self.start.clone())
            .chain_update(seed.to_string())
            .chain_update(self.after)
            .chain_update(b"}");
        let mut id = String::with_capacity(DIGITS);
        for byte in &hash.finalize()[..DIGITS / 2] {
            for digit in [byte >> 4, byte & 15] {
                id.push(char::from(HEXADECIMAL[usize::from(digit)]));
            }
        }
        id
    }
}

fn of_net(net: &NetRecipe, device: &str, fingerprint: &str) -> Value {
    let mut probes = net.probes.clone();
    probes.sort_unstable();
    probes.dedup();
    // The content decides, not why it was accepted.
    let content = data::content_hash(&net.data);
    let data = DataConfig {
        content: Content::default(),
        ..net.data.clone()
    };
    json!({
        "content": content,
        "data": data,
        "device": device,
        "model": net.model,
        "numerics": fingerprint,
        "probes": probes,
        "train": net.train,
    })
}

fn of_program(program: &ProgramRecipe, device: &str) -> Value {
    let mut metrics = program.metrics.clone();
    metrics.sort_unstable();
    json!({
        "command": program.command,
        "device": device,
        "env": program.env,
        "inputs": program.inputs,
        "metrics": metrics,
        "set": program.set,
        "source": program.source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Probe;
    use crate::run::fake::spec;

    fn arm() -> Arm {
        spec(&["a"], 1).arms.remove(0)
    }

    fn net(arm: &mut Arm) -> &mut NetRecipe {
        arm.recipe.net_mut().expect("the fake's arms are nets")
    }

    fn id_of(arm: &Arm) -> String {
        SharedPart::new(arm, "flex", "f").at(Some(0.01)).id(1)
    }

    #[test]
    fn canonical_text_sorts_keys_and_includes_defaults() {
        let shared = SharedPart::new(&arm(), "flex", "f");
        assert_eq!(
            format!("{}1{}}}", shared.start(Some(0.01)), shared.after),
            concat!(
                r#"{"content":"2c67d1bb39233fcbd1d34a5077a632ab8a1697954a38ed9199264d8184948c3e","#,
                r#""data":{"folds":5,"label_noise":0.0,"name":"digits","scale":"standardize","#,
                r#""test":"standard","validation":0.2},"device":"flex","learning_rate":0.01,"#,
                r#""model":{"block":{"activation":"relu","bias":"auto","dropout":{"conv_rate":0.0,"#,
                r#""input_rate":0.0,"placement":"end","rate":0.0,"spatial":false},"init":{"bias":0.0,"#,
                r#""center":0.0,"weight":"he_normal"},"norm":{"kind":"none"},"position":"before"},"#,
                r#""hidden":[8],"kind":"mlp"},"numerics":"f","probes":["train_test_gap"],"seed":1,"#,
                r#""train":{"batch_size":32,"decay_on":["weight"],"length":{"epochs":2},"optimizer":{"beta1":0.9,"#,
                r#""beta2":0.999,"epsilon":1e-8,"kind":"adam"},"schedule":{"kind":"constant"},"#,
                r#""weight_decay":0.0}}"#,
            )
        );
    }

    #[test]
    fn ids_are_stable() {
        // python3: hashlib.sha256(text).hexdigest()[:20] of the text in the test above.
        assert_eq!(id_of(&arm()), "dd20f6885fcf372fa0ce");
    }

    #[test]
    fn names_and_probe_order_do_not_change_ids() {
        let mut renamed = arm();
        renamed.name = "z".into();
        renamed.label = "Z".into();
        renamed.learning_rates.push(0.5);
        assert_eq!(id_of(&renamed), id_of(&arm()));

        let mut probes = arm();
        net(&mut probes).probes = vec![Probe::Saturation, Probe::TrainTestGap];
        let id = id_of(&probes);
        assert_ne!(id, id_of(&arm()));
        net(&mut probes).probes = vec![Probe::TrainTestGap, Probe::Saturation, Probe::Saturation];
        assert_eq!(id_of(&probes), id);
    }

    #[test]
    fn content_changes_ids_and_its_reason_does_not() {
        let with = |content| {
            let mut arm = arm();
            net(&mut arm).data.content = content;
            id_of(&arm)
        };
        assert_eq!(with(Content::Any), id_of(&arm()));
        let published = data::content_hash(&net(&mut arm()).data).unwrap();
        assert_eq!(with(Content::Exactly(published)), id_of(&arm()));
        assert_ne!(with(Content::Exactly("0".repeat(64))), id_of(&arm()));
    }

    #[test]
    fn whatever_determines_numbers_changes_ids() {
        let base = SharedPart::new(&arm(), "flex", "f");
        let mut data = arm();
        net(&mut data).data.label_noise = 0.1;
        let mut model = arm();
        let ablate_models::zoo::ModelConfig::Mlp(mlp) = &mut net(&mut model).model else {
            unreachable!("the fake's model is an MLP")
        };
        mlp.block.dropout.rate = 0.5;
        let mut train = arm();
        net(&mut train).train.batch_size += 1;
        let ids = [
            base.at(Some(0.01)).id(1),
            base.at(Some(0.02)).id(1),
            base.at(Some(0.01)).id(2),
            SharedPart::new(&arm(), "wgpu", "f").at(Some(0.01)).id(1),
            SharedPart::new(&arm(), "flex", "g").at(Some(0.01)).id(1),
            id_of(&data),
            id_of(&model),
            id_of(&train),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}
