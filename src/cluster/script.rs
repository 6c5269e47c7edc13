//! Shell scripts of jobs.

use std::path::{Path, PathBuf};

/// What a task does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// This program.
    pub program: PathBuf,
    /// The folder to start it in.
    pub start: PathBuf,
    /// The results folder of the experiment.
    pub folder: PathBuf,
    /// The list of tasks.
    pub tasks: PathBuf,
    /// The device, if it is not the usual one.
    pub device: Option<String>,
    /// Whether all cells of a seed are trained on one kind of machine.
    pub pin_kind: bool,
}

impl Task {
    /// The command of a task as words.
    pub fn command(&self) -> Vec<String> {
        let mut words = vec![
            text(&self.program),
            "worker".to_owned(),
            text(&self.folder),
            "--tasks".to_owned(),
            text(&self.tasks),
        ];
        if let Some(device) = &self.device {
            words.extend(["--device".to_owned(), device.clone()]);
        }
        if self.pin_kind {
            words.push("--pin-kind".to_owned());
        }
        words
    }

    /// The command that writes the report, as words.
    pub fn report(&self) -> Vec<String> {
        vec![text(&self.program), "report".to_owned(), text(&self.folder)]
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// `words` as one line of a shell.
pub(super) fn line<S: AsRef<str>>(words: &[S]) -> String {
    let words = words.iter().map(|word| quoted(word.as_ref()));
    words.collect::<Vec<_>>().join(" ")
}

/// `word` for a shell, in quotes where it needs some.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn shell_reads_every_word_back(words in prop::collection::vec("[ -~\n]{0,12}", 1..4)) {
            let script = format!("printf '%s\\0' {}", line(&words));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            let read: String = words.iter().map(|word| format!("{word}\0")).collect();
            prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), read);
        }
    }
}
