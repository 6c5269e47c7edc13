//! Paths: absolute, and from one folder to another.

use std::path::{Component, Path, PathBuf};

/// `path` as an absolute path, with symbolic links resolved as far as it exists and without `.` and `..`.
pub fn absolute(path: &Path) -> PathBuf {
    let path = match path.as_os_str().is_empty() {
        true => Path::new("."),
        false => path,
    };
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
        if let Ok(found) = plain.canonicalize() {
            plain = found;
        }
    }
    plain
}

/// The path of `to` from the folder `from`, with `/` between its parts: `../experiments/dropout.toml`.
pub fn relative(from: &Path, to: &Path) -> String {
    let (from, to) = (absolute(from), absolute(to));
    let common = (from.components().zip(to.components()))
        .take_while(|(a, b)| a == b)
        .count();
    let up = from.components().skip(common).map(|_| "..".to_owned());
    let down = to.components().skip(common);
    let down = down.map(|part| part.as_os_str().to_string_lossy().into_owned());
    let parts: Vec<String> = up.chain(down).collect();
    match parts.is_empty() {
        true => ".".to_owned(),
        false => parts.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn relative_paths_lead_from_one_folder_to_another() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        fs::create_dir(at("experiments")).unwrap();
        let from = at("results/mine");
        assert_eq!(
            relative(&from, &at("experiments/a.toml")),
            "../../experiments/a.toml"
        );
        assert_eq!(relative(&from, &at("results/mine/a.toml")), "a.toml");
        assert_eq!(
            relative(&at("x/../results"), &at("./b/../a.toml")),
            "../a.toml"
        );
        assert_eq!(relative(&from, &from), ".");
    }
}
