//! Models of registered kinds in specs.

use crate::recipe::Recipe;
use crate::spec::{Registry, Spec, SpecError};
use ablate_models::mlp::{Mlp, MlpConfig};
use ablate_models::zoo::Architecture;
use ablate_models::{ConfigError, Start};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A net whose layers become narrower. Serde alone would ignore unknown keys of it.
#[derive(Debug, Serialize, Deserialize)]
struct Funnel<const VERSION: u32> {
    width: usize,
    #[serde(default)]
    taper: Taper,
}

#[derive(Debug, Serialize, Deserialize)]
struct Taper {
    layers: usize,
}

impl Default for Taper {
    fn default() -> Self {
        Self { layers: 2 }
    }
}

impl<const V: u32> Architecture for Funnel<V> {
    type Model = Mlp;
    const VERSION: u32 = V;

    fn check(&self) -> Result<(), ConfigError> {
        match self.width {
            0 => Err(ConfigError::new("width", "must be at least 1")),
            _ => Ok(()),
        }
    }

    fn init(&self, input: [usize; 3], classes: usize, start: &Start) -> Result<Mlp, ConfigError> {
        let config = MlpConfig {
            hidden: (0..self.taper.layers).map(|i| self.width >> i).collect(),
            block: Default::default(),
            last_block: None,
        };
        config.init(input.iter().product(), classes, start)
    }
}

fn registry() -> Registry {
    Registry::zoo().with::<Funnel<1>>("funnel")
}

fn read(registry: &Registry, from: &str, to: &str) -> Result<Spec, SpecError> {
    let model = "[model]\nkind = \"funnel\"\nwidth = 8\n";
    let base = format!(
        "title = \"T\"\nquestion = \"Q?\"\nreading = \"R.\"\nseeds = 2\n[data]\nname = \"digits\"\n\
         {model}[train]\nepochs = 1\nbatch_size = 32\nlearning_rate = 0.1\n[[arms]]\nname = \"a\"\n"
    );
    assert!(base.contains(from), "{from}");
    let text = base.replacen(from, to, 1);
    Spec::parse_with(registry, "x", Path::new("x.toml"), &text, &[])
}

fn message(from: &str, to: &str) -> String {
    read(&registry(), from, to).unwrap_err().to_string()
}

#[test]
fn registered_kind_is_read_and_can_be_built() {
    let spec = read(&registry(), "width", "width").unwrap();
    let model = &spec.arms[0].net().unwrap().model;
    assert_eq!((model.kind(), model.has_blocks()), ("funnel", false));
    // 64 x 8, 8 x 4 and 4 x 10 weights, and a bias per unit.
    let cost = model.cost([8, 8, 1], 10).unwrap();
    assert_eq!((cost.parameters, cost.multiply_adds), (584 + 22, 584));
    let values = serde_json::json!({"width": 8, "taper": {"layers": 2}});
    let json = serde_json::to_value(model).unwrap();
    assert_eq!(
        (&json["name"], &json["config"]),
        (&"funnel".into(), &values)
    );
    assert!(json["type"].as_str().unwrap().contains("Funnel"), "{json}");
}

#[test]
fn other_programs_do_not_know_the_kind() {
    let error = read(&Registry::zoo(), "width", "width").unwrap_err();
    assert_eq!(error.line(), Some(8));
    let message = error.to_string();
    assert!(
        message.contains("valid values are `mlp`, `cnn`, `resnet`"),
        "{message}"
    );
    let near = self::message("\"funnel\"", "\"funel\"");
    assert!(near.contains("did you mean `funnel`?"), "{near}");
}

#[test]
fn keys_of_registered_kinds_are_strict() {
    for (from, to, says) in [
        (
            "width",
            "widht",
            "unknown key `model.widht`; did you mean `model.width`?",
        ),
        (
            "width = 8",
            "width = 8\ntaper.layer = 1",
            "did you mean `model.taper.layers`?",
        ),
        (
            "width = 8",
            "width = 8.5",
            "`model.width` must be a whole number, at least 0, not 8.5",
        ),
        ("width = 8", "width = 0", "`model.width` must be at least 1"),
        ("width = 8\n", "", "`model.width` is missing"),
        (
            "name = \"a\"",
            "name = \"a\"\nset.model.wide = 2",
            "unknown key `arms[a].set.model.wide`",
        ),
    ] {
        let message = message(from, to);
        assert!(message.contains(says), "no `{says}` in {message}");
    }
}

#[test]
fn settings_that_need_blocks_are_errors() {
    for (set, says) in [
        ("max_norm = 1.0", "`train.max_norm`"),
        ("evaluate_by = \"exact\"", "`train.evaluate_by`"),
        ("only = [\"random_weights\"]", "`train.only`"),
        (
            "fault = { after = 1, layer = 0, units = 1 }",
            "`train.fault`",
        ),
    ] {
        let message = message("epochs = 1", &format!("epochs = 1\n{set}"));
        assert!(message.contains(says), "no {says} in {message}");
        assert!(
            message.contains("models of kind `funnel` do not have"),
            "{message}"
        );
    }
}

#[test]
fn jobs_get_their_types_back_from_json() {
    let spec = read(&registry(), "width", "width").unwrap();
    let text = serde_json::to_string(&spec.arms[0].recipe).unwrap();
    let mut recipe: Recipe = serde_json::from_str(&text).unwrap();
    assert_eq!(recipe, spec.arms[0].recipe);
    let cost = |recipe: &Recipe| recipe.net().unwrap().model.cost([8, 8, 1], 10);
    let message = cost(&recipe).unwrap_err().to_string();
    assert!(message.contains("does not register"), "{message}");
    registry().complete(&mut recipe).unwrap();
    assert_eq!(cost(&recipe).unwrap().parameters, 606);

    let other = Registry::zoo().with::<Funnel<2>>("funnel");
    let message = other.complete(&mut recipe).unwrap_err().to_string();
    assert!(
        message.contains("version 1") && message.contains("version 2"),
        "{message}"
    );
}

#[test]
#[should_panic(expected = "called `mlp` already")]
fn names_of_kinds_are_distinct() {
    let _ = Registry::zoo().with::<Funnel<1>>("mlp");
}
