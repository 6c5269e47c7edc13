//! How an experiment that ran differs from its file.

use crate::spec::Spec;
use serde::{Deserialize, Serialize};

/// How an experiment differs from its file, and where the file is. All of it is empty for an unchanged
/// experiment of `experiments/` with its results in `results/`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    /// Name of the experiment, if this is a variant with a name of its own. An experiment to which
    /// only seeds were added keeps its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant_of: Option<String>,
    /// Path of the file, relative to the folder that holds the results folder; absent for
    /// `experiments/NAME.toml` there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The option `--results` that leads to these results; absent if none is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<String>,
    /// Arguments of `--set` in their order, without those that set seeds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// Seeds in the file, if others were used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seeds_in_file: Option<Vec<u64>>,
    /// Device, if it is not [`Spec::default_device`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

impl Changes {
    /// Whether everything is as in an unchanged experiment of `experiments/`.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the command line changes the experiment: its keys, its seeds or its device.
    pub const fn any(&self) -> bool {
        !self.set.is_empty() || self.seeds_in_file.is_some() || self.device.is_some()
    }

    /// The arguments that make the changes, for an experiment with `seeds`, quoted for a shell:
    /// `--set train.epochs=3 --seeds 5`.
    pub fn arguments(&self, seeds: &[u64]) -> Vec<String> {
        let mut words: Vec<String> = (self.set.iter())
            .map(|set| format!("--set {}", quoted(set)))
            .collect();
        if self.seeds_in_file.is_some() {
            words.push(match is_counted(seeds) {
                true => format!("--seeds {}", seeds.len()),
                false => format!("--set {}", quoted(&format!("seeds={seeds:?}"))),
            });
        }
        if let Some(device) = &self.device {
            words.push(format!("--device {}", quoted(device)));
        }
        words
    }

    /// The command that trains the experiment `name` with `seeds` as it was trained, with the results
    /// in the same folder. It is meant for the folder that holds the results folder.
    pub fn command(&self, name: &str, seeds: &[u64]) -> String {
        let name = self.variant_of.as_deref().unwrap_or(name);
        let mut words = vec![format!("ablate run {}", self.experiment(name))];
        words.extend(self.arguments(seeds));
        words.extend(self.results_option());
        words.join(" ")
    }

    /// The command that does `verb` with the results of `name` in their folder: `ablate report mine`.
    pub fn command_on_results(&self, verb: &str, name: &str) -> String {
        let experiment = match self.variant_of.is_some() {
            true => quoted(name),
            false => self.experiment(name),
        };
        let mut words = vec![format!("ablate {verb} {experiment}")];
        words.extend(self.results_option());
        words.join(" ")
    }

    fn experiment(&self, name: &str) -> String {
        quoted(self.file.as_deref().unwrap_or(name))
    }

    fn results_option(&self) -> Option<String> {
        let results = self.results.as_ref()?;
        Some(format!("--results {}", quoted(results)))
    }
}

impl Spec {
    /// The device on which its results are made unless another one is given: `flex` for nets, `cpu` for
    /// programs.
    pub const fn default_device(&self) -> &'static str {
        match self.program {
            Some(_) => "cpu",
            None => "flex",
        }
    }

    /// Name of the experiment without its changes.
    pub fn base_name(&self) -> &str {
        self.changes.variant_of.as_deref().unwrap_or(&self.name)
    }
}

/// Whether `seeds` are 0, 1, 2 and so on, so that their number says it all.
pub(in crate::spec) fn is_counted(seeds: &[u64]) -> bool {
    seeds.iter().copied().eq(0..seeds.len() as u64)
}

/// `word` as one word of a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-~".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) && !word.starts_with('~') {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_repeats_every_change() {
        let changes = Changes {
            variant_of: Some("mine".to_owned()),
            file: Some("my files/mine.toml".to_owned()),
            results: Some("out".to_owned()),
            set: vec!["train.learning_rate=[0.1, 0.2]".to_owned()],
            seeds_in_file: Some((0..10).collect()),
            device: Some("ndarray".to_owned()),
        };
        assert_eq!(
            changes.command("mine@x", &[0, 1]),
            "ablate run 'my files/mine.toml' --set 'train.learning_rate=[0.1, 0.2]' --seeds 2 \
             --device ndarray --results out"
        );
        let report = changes.command_on_results("report", "mine@epochs=1");
        assert_eq!(report, "ablate report mine@epochs=1 --results out");
        let listed = changes.arguments(&[3, 5]);
        assert_eq!(listed[1], "--set 'seeds=[3, 5]'");
    }

    #[test]
    fn unchanged_experiment_has_a_plain_command() {
        let unchanged = Changes::default();
        assert!(unchanged.is_empty() && !unchanged.any());
        assert_eq!(unchanged.command("dropout", &[0, 1]), "ablate run dropout");
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("train.epochs=3"), "train.epochs=3");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted("~/x"), "'~/x'");
        assert_eq!(quoted(""), "''");
    }
}
