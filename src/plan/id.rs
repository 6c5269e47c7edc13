//! Id of a cell: a hash of everything that determines its numbers.

use crate::data;
use crate::recipe::{Content, DataConfig};
use crate::spec::Arm;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Hexadecimal digits of an id: 80 bits. A billion cells collide with a probability of one in a
/// million.
const DIGITS: usize = 20;

/// The part of an id that all cells of an arm share; without the name and label of the arm.
///
/// The content of the data is `null` where it is that of files that this machine does not have.
pub(super) struct Recipe(Value);

impl Recipe {
    pub(super) fn new(arm: &Arm, device: &str, fingerprint: &str) -> Self {
        let mut probes = arm.probes.clone();
        probes.sort_unstable();
        probes.dedup();
        // The content decides, not why it was accepted.
        let content = data::content_hash(&arm.data);
        let data = DataConfig {
            content: Content::default(),
            ..arm.data.clone()
        };
        Self(json!({
            "content": content,
            "data": data,
            "device": device,
            "model": arm.model,
            "numerics": fingerprint,
            "probes": probes,
            "train": arm.train,
        }))
    }

    /// The first digits of SHA-256 over the canonical JSON of the cell.
    pub(super) fn id(&self, learning_rate: f64, seed: u64) -> String {
        let digest = Sha256::digest(self.canonical(learning_rate, seed));
        let mut id = String::with_capacity(2 * digest.len());
        for byte in digest {
            write!(id, "{byte:02x}").expect("a string takes any text");
        }
        id.truncate(DIGITS);
        id
    }

    /// JSON with sorted keys, no spaces, and shortest round-trip numbers.
    fn canonical(&self, learning_rate: f64, seed: u64) -> String {
        let mut cell = self.0.clone();
        cell["learning_rate"] = learning_rate.into();
        cell["seed"] = seed.into();
        cell.sort_all_objects();
        cell.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Probe;
    use crate::run::fake::spec;

    fn arm() -> Arm {
        spec(&["a"], 1).arms.remove(0)
    }

    fn id_of(arm: &Arm) -> String {
        Recipe::new(arm, "flex", "f").id(0.01, 1)
    }

    #[test]
    fn canonical_text_sorts_keys_and_includes_defaults() {
        assert_eq!(
            Recipe::new(&arm(), "flex", "f").canonical(0.01, 1),
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
        probes.probes = vec![Probe::Saturation, Probe::TrainTestGap];
        let id = id_of(&probes);
        assert_ne!(id, id_of(&arm()));
        probes.probes = vec![Probe::TrainTestGap, Probe::Saturation, Probe::Saturation];
        assert_eq!(id_of(&probes), id);
    }

    #[test]
    fn content_changes_ids_and_its_reason_does_not() {
        let with = |content| {
            let mut arm = arm();
            arm.data.content = content;
            id_of(&arm)
        };
        assert_eq!(with(Content::Any), id_of(&arm()));
        let published = data::content_hash(&arm().data).unwrap();
        assert_eq!(with(Content::Exactly(published)), id_of(&arm()));
        assert_ne!(with(Content::Exactly("0".repeat(64))), id_of(&arm()));
    }

    #[test]
    fn whatever_determines_numbers_changes_ids() {
        let base = Recipe::new(&arm(), "flex", "f");
        let mut data = arm();
        data.data.label_noise = 0.1;
        let mut model = arm();
        let ablate_models::zoo::ModelConfig::Mlp(mlp) = &mut model.model else {
            unreachable!("the fake's model is an MLP")
        };
        mlp.block.dropout.rate = 0.5;
        let mut train = arm();
        train.train.batch_size += 1;
        let ids = [
            base.id(0.01, 1),
            base.id(0.02, 1),
            base.id(0.01, 2),
            Recipe::new(&arm(), "wgpu", "f").id(0.01, 1),
            Recipe::new(&arm(), "flex", "g").id(0.01, 1),
            id_of(&data),
            id_of(&model),
            id_of(&train),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}
