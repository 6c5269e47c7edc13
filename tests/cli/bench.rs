//! A folder of its own for each test, and the program run in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest wait for something that takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Two arms of one small dense net on digits, with dropout and without.
pub(crate) const TINY: &str = r#"
title = "Tiny"
question = "Does it run?"
reading = "It says nothing."
suites = ["standard", "quick"]
seeds = 3

[data]
name = "digits"

[model]
kind = "mlp"
hidden = [16]

[train]
epochs = 2
batch_size = 64
learning_rate = 0.01

[[arms]]
name = "plain"

[[arms]]
name = "dropout"
set.model.block.dropout.rate = 0.3

[[contrasts]]
name = "dropout-vs-plain"
treatment = "dropout"
control = "plain"
metric = "test_accuracy"
expect = "differs"
margin = 1.0
note = "One contrast, so that there is one."
"#;

/// A folder with `experiments/`.
pub(crate) struct Bench(TempDir);

/// What a process left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Done {
    /// Fails unless the process ended with `code`.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Fails unless `text` is one of standard error's.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "no `{text}` in {self:#?}");
        self
    }

    /// Fails unless `text` is one of standard output's.
    #[track_caller]
    pub(crate) fn shows(self, text: &str) -> Self {
        assert!(self.out.contains(text), "no `{text}` in {self:#?}");
        self
    }

    /// Fails unless standard error is one line, an error, and nothing is on standard output.
    #[track_caller]
    pub(crate) fn with_one_error(self) -> Self {
        assert!(self.err.starts_with("error: "), "{self:#?}");
        assert_eq!(self.err.lines().count(), 1, "{self:#?}");
        assert_eq!(self.out, "", "{self:#?}");
        self
    }
}

impl Bench {
    /// One with the spec `tiny`.
    pub(crate) fn new() -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        bench.write("experiments/tiny.toml", TINY);
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// The spec `tiny` with `from` replaced by `to`.
    pub(crate) fn change_tiny(&self, from: &str, to: &str) {
        assert!(TINY.contains(from), "{from}");
        self.write("experiments/tiny.toml", TINY.replace(from, to));
    }

    /// The program, with nothing of the environment that it listens to.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ablate"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .env("HOME", self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in [
            "ABLATE_DEVICE",
            "ABLATE_DATA_DIR",
            "RAYON_NUM_THREADS",
            "RUST_LOG",
            "XDG_CACHE_HOME",
            "XDG_DATA_HOME",
        ] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Done {
        self.command(arguments).output().unwrap().into()
    }

    pub(crate) fn start(&self, arguments: &str) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Every file below `folder` by its path from there, journals and locks aside.
    pub(crate) fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.path(folder), "", &mut files);
        files
    }

    /// As [`Self::files`], without what tells one run from another.
    pub(crate) fn results(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.files(folder);
        files.retain(|name, _| !name.ends_with("provenance.json"));
        files
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let below = format!("{prefix}{name}");
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{below}/"), files);
        } else if !name.starts_with('.') {
            files.insert(below, fs::read(entry.path()).unwrap());
        }
    }
}

/// Waits until `is_so`, and fails if that takes too long.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
