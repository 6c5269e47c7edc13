//! The command of a cell, with its values filled in.

use crate::recipe::ProgramRecipe;
use crate::text::placeholder;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The values of a cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    pub(super) seed: u64,
    pub(super) learning_rate: Option<f64>,
    /// Folder of the cell.
    pub(super) out: &'a str,
    pub(super) threads: usize,
    pub(super) device: &'a str,
}

impl Values<'_> {
    /// The final text of a template of the recipe.
    ///
    /// # Errors
    /// If it has a placeholder without a value; the spec does not allow that.
    pub(super) fn expand(&self, template: &str) -> Result<String, String> {
        let value = |name: &str| match name {
            "seed" => Some(self.seed.to_string()),
            "learning_rate" => self.learning_rate.map(|rate| rate.to_string()),
            "out" => Some(self.out.to_owned()),
            "threads" => Some(self.threads.to_string()),
            "device" => Some(self.device.to_owned()),
            _ => None,
        };
        let text = placeholder::expand(template, value);
        text.map_err(|name| format!("`{template}` has `{{{name}}}`, which has no value"))
    }

    /// The command that `recipe` runs.
    ///
    /// # Errors
    /// As [`Self::expand`].
    pub(super) fn command(&self, recipe: &ProgramRecipe) -> Result<Command, String> {
        let words = recipe.command.iter().map(|word| self.expand(word));
        let words: Vec<String> = words.collect::<Result<_, _>>()?;
        let (program, arguments) = words.split_first().ok_or("the command is empty")?;
        let mut command = Command::new(located(program, &recipe.directory));
        command.args(arguments).current_dir(&recipe.directory);
        for (name, value) in &recipe.env {
            command.env(name, self.expand(value)?);
        }
        let params = json!({
            "seed": self.seed,
            "learning_rate": self.learning_rate,
            "out": self.out,
            "threads": self.threads,
            "device": self.device,
            "set": recipe.set,
        });
        command.env("ABLATE_SEED", self.seed.to_string());
        command.env(OUT, self.out);
        command.env("ABLATE_PARAMS", params.to_string());
        Ok(command)
    }
}

/// The variable with the folder of a cell. It also identifies the processes of a cell.
pub(super) const OUT: &str = "ABLATE_OUT";

/// A program given by a relative path is looked up in `directory`, one given by its name in `PATH`.
fn located(program: &str, directory: &Path) -> PathBuf {
    let path = Path::new(program);
    match path.components().count() > 1 && path.is_relative() {
        true => std::path::absolute(directory.join(path)).unwrap_or_else(|_| directory.join(path)),
        false => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::MetricSource;
    use std::ffi::OsStr;

    const VALUES: Values<'_> = Values {
        seed: 7,
        learning_rate: Some(0.001),
        out: "/results/x",
        threads: 2,
        device: "cpu",
    };

    fn recipe(command: &[&str]) -> ProgramRecipe {
        ProgramRecipe {
            command: command.iter().map(|&word| word.to_owned()).collect(),
            env: [("N".to_owned(), "{threads}".to_owned())].into(),
            directory: "/code".into(),
            set: [("size".to_owned(), 3.into())].into(),
            inputs: Default::default(),
            source: MetricSource::JsonLines,
            metrics: vec!["a".to_owned()],
            timeout: None,
        }
    }

    #[test]
    fn values_are_filled_in() {
        let command = recipe(&[
            "python",
            "a.py",
            "--lr={learning_rate}",
            "{seed}",
            "{out}/{{x}}",
        ]);
        let command = VALUES.command(&command).unwrap();
        let arguments: Vec<&OsStr> = command.get_args().collect();
        assert_eq!(arguments, ["a.py", "--lr=0.001", "7", "/results/x/{x}"]);
        assert_eq!(command.get_program(), "python");
        assert_eq!(command.get_current_dir(), Some(Path::new("/code")));
        let variable = |name: &str| {
            let found = command.get_envs().find(|(key, _)| *key == name);
            found.unwrap().1.unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(variable("N"), "2");
        assert_eq!(variable("ABLATE_SEED"), "7");
        assert_eq!(variable("ABLATE_OUT"), "/results/x");
        let params: serde_json::Value = serde_json::from_str(&variable("ABLATE_PARAMS")).unwrap();
        assert_eq!(
            (&params["set"]["size"], &params["learning_rate"]),
            (&3.into(), &0.001.into())
        );
    }

    #[test]
    fn relative_path_of_a_program_starts_at_its_folder() {
        let command = VALUES.command(&recipe(&["./train.sh"])).unwrap();
        assert_eq!(
            Path::new(command.get_program()),
            Path::new("/code/./train.sh")
        );
    }
}
