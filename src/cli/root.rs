//! The folder that holds `experiments/` and the results, so that the program works from the folders below it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Folder of the experiments, unless another is given.
const EXPERIMENTS: &str = "experiments";

/// Path from the current folder to the nearest folder, itself or above, that holds `experiments/` with TOML
/// files; empty if that is the current folder, or if there is none.
fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| match std::env::current_dir() {
        Ok(here) => find(&here),
        Err(_) => PathBuf::new(),
    })
}

fn find(here: &Path) -> PathBuf {
    let holds_experiments = |folder: &Path| {
        let entries = folder.join(EXPERIMENTS).read_dir();
        let mut entries = entries.into_iter().flatten().flatten();
        entries.any(|entry| entry.path().extension().is_some_and(|e| e == "toml"))
    };
    let above = here.ancestors().position(holds_experiments);
    vec![".."; above.unwrap_or(0)].iter().collect()
}

/// `name` beside the experiments.
pub(crate) fn beside(name: &str) -> PathBuf {
    root().join(name)
}

/// The folder of the experiments.
pub(crate) fn experiments() -> PathBuf {
    beside(EXPERIMENTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_folder_with_experiments_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        std::fs::create_dir_all(at("a/b/experiments")).unwrap();
        std::fs::create_dir_all(at("experiments")).unwrap();
        std::fs::write(at("experiments/x.toml"), "").unwrap();
        assert_eq!(find(dir.path()), Path::new(""));
        assert_eq!(
            find(&at("a/b")),
            Path::new("../.."),
            "an empty folder does not count"
        );
        assert_eq!(find(&at("experiments")), Path::new(".."));
    }
}
