//! Templates of commands, with what is known of an arm filled in.

use crate::spec::design::crossing::Cell;
use crate::spec::parse::checks::flaw;
use crate::spec::parse::diagnostic::{list, nearest};
use crate::spec::parse::node::brief;
use crate::text::placeholder;
use ablate_models::ConfigError;
use std::collections::BTreeMap;

/// Placeholder that stands for the arguments of an arm.
const ARGS: &str = "args";
/// Placeholder for the name of an arm.
const ARM: &str = "arm";
/// Placeholders that are filled in when a cell runs.
const OF_CELLS: [&str; 5] = ["seed", "learning_rate", "out", "threads", "device"];

/// The values that are known of an arm before a cell runs.
pub(super) struct Template<'a> {
    pub(super) cell: &'a Cell<'a>,
    pub(super) set: &'a BTreeMap<String, serde_json::Value>,
    pub(super) has_rate: bool,
}

impl Template<'_> {
    /// The command with the arguments of the arm spliced in.
    pub(super) fn command(&self, written: &[String]) -> Result<Vec<String>, ConfigError> {
        const KEY: &str = "program.command";
        let mut spliced = false;
        let mut command = Vec::new();
        for (i, word) in written.iter().enumerate() {
            let key = format!("{KEY}.{i}");
            if *word == format!("{{{ARGS}}}") {
                spliced = true;
                for arg in &self.cell.args {
                    command.push(self.filled(&key, arg)?);
                }
            } else if placeholder::names(word).any(|name| name == ARGS) {
                let message = "has `{args}` inside other text; it must be an argument of its own";
                return flaw(&key, message);
            } else {
                command.push(self.filled(&key, word)?);
            }
        }
        if !spliced && !self.cell.args.is_empty() {
            let message = format!(
                "has no `{{args}}`, which would pass the `args` of arm `{}`; add it, as in \
                 `[\"python\", \"train.py\", \"{{args}}\"]`",
                self.cell.name
            );
            return flaw(KEY, message);
        }
        match command
            .first()
            .is_none_or(|program| program.trim().is_empty())
        {
            true => flaw(KEY, "is empty; give the program and its arguments"),
            false => Ok(command),
        }
    }

    /// `template` with what is known of the arm.
    pub(super) fn filled(&self, key: &str, template: &str) -> Result<String, ConfigError> {
        for name in placeholder::names(template) {
            self.check(key, name)?;
        }
        Ok(placeholder::fill(template, |name| {
            match name.strip_prefix("set.") {
                Some(key) => self.set.get(key).map(shown),
                None => (name == ARM).then(|| self.cell.name.clone()),
            }
        }))
    }

    fn check(&self, key: &str, name: &str) -> Result<(), ConfigError> {
        if name == "learning_rate" && !self.has_rate {
            let message = "has `{learning_rate}`, but there is no `program.learning_rate`; add it";
            return flaw(key, message);
        }
        if OF_CELLS.contains(&name) || name == ARM {
            return Ok(());
        }
        if name
            .strip_prefix("set.")
            .is_some_and(|key| self.set.contains_key(key))
        {
            return Ok(());
        }
        let mut valid: Vec<String> = OF_CELLS.iter().map(|&name| name.to_owned()).collect();
        valid.push(ARM.to_owned());
        valid.extend(self.set.keys().map(|key| format!("set.{key}")));
        let advice = match (nearest(name, &valid), name.strip_prefix("set.")) {
            (Some(near), _) => format!("did you mean `{{{near}}}`?"),
            (None, Some(key)) => format!(
                "give it to arm `{}` with `set.{key}`, or to all arms in `[set]`",
                self.cell.name
            ),
            (None, None) => {
                let braced: Vec<String> = valid.iter().map(|name| format!("{{{name}}}")).collect();
                format!(
                    "placeholders are {}; for braces themselves write `{{{{{}}}}}`",
                    list(&braced),
                    brief(name)
                )
            }
        };
        flaw(
            key,
            format!("has `{{{}}}`, which has no value; {advice}", brief(name)),
        )
    }
}

/// A value as an argument.
fn shown(value: &serde_json::Value) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}
