//! A temporary folder per test, and the program run in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Timeout for operations that take about a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// An experiment with two arms of one small dense net on the digits, with and without dropout.
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

/// A temporary folder with `experiments/`.
pub(crate) struct Bench(TempDir);

/// Exit code and output of a process.
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
    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Asserts that standard error contains `text`.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "no `{text}` in {self:#?}");
        self
    }

    /// Asserts that standard output contains `text`.
    #[track_caller]
    pub(crate) fn shows(self, text: &str) -> Self {
        assert!(self.out.contains(text), "no `{text}` in {self:#?}");
        self
    }

    /// Asserts that standard error is a single error line and standard output is empty.
    #[track_caller]
    pub(crate) fn with_one_error(self) -> Self {
        assert!(self.err.starts_with("error: "), "{self:#?}");
        // Lines of an excerpt are indented.
        let lines = self.err.lines().filter(|line| !line.starts_with(' '));
        assert_eq!(lines.count(), 1, "{self:#?}");
        assert_eq!(self.out, "", "{self:#?}");
        self
    }
}

impl Bench {
    /// A folder with the spec `tiny`.
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

    /// Replaces `from` by `to` in the spec `tiny`.
    pub(crate) fn change_tiny(&self, from: &str, to: &str) {
        assert!(TINY.contains(from), "{from}");
        self.write("experiments/tiny.toml", TINY.replace(from, to));
    }

    /// The program, without environment variables that affect it.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        self.command_of(arguments.split_whitespace())
    }

    /// The same with arguments that contain spaces.
    pub(crate) fn command_of<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ablate"));
        command
            .args(arguments)
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

    /// All files below `folder` by relative path, except journals and locks.
    pub(crate) fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.path(folder), "", &mut files);
        files
    }

    /// [`Self::files`] without damaged lines that were set aside.
    pub(crate) fn files_but_damaged(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = self.files(folder);
        files.retain(|name, _| !name.ends_with(".damaged"));
        files
    }

    /// A second folder with the same experiments and no results.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        for (name, content) in self.files("experiments") {
            copy.write(&format!("experiments/{name}"), content);
        }
        copy
    }

    /// [`Self::files`] without `provenance.json`, which differs between runs.
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

/// Waits until `is_so` is true, and fails after [`PATIENCE`].
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
