//! `SHA256SUMS`: the hash of every published file of a folder, in the format of the command `sha256sum`.

use super::FileError;
use super::open::{read, read_text};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Name of the file.
pub const SUMS_FILE: &str = "SHA256SUMS";

/// Hexadecimal digits of a hash.
const DIGITS: usize = 64;

/// Hashes of files by their path from the folder, with `/`. `sha256sum -c SHA256SUMS` in the folder checks
/// the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums(BTreeMap<String, String>);

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0.iter()).try_for_each(|(name, hash)| writeln!(f, "{hash}  {name}"))
    }
}

impl Sums {
    /// Adds the hash of `content`, the content of the file `name`.
    pub fn add(&mut self, name: &str, content: &[u8]) {
        self.0.insert(name.to_owned(), sha256(content));
    }

    /// Adds the hash of the file `name` in `folder`, or removes it if there is no such file.
    ///
    /// # Errors
    /// If the file exists and cannot be read.
    pub fn add_file(&mut self, folder: &Path, name: &str) -> Result<(), FileError> {
        let path = folder.join(name);
        match read(&path) {
            Ok(content) => self.add(name, &content),
            Err(e) if e.kind() == ErrorKind::NotFound => drop(self.0.remove(name)),
            Err(e) => return Err(FileError::of("read", &path)(e)),
        }
        Ok(())
    }

    /// Names of the files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the file in `folder`; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read, or a line is not a hash and a name.
    pub fn read(folder: &Path) -> Result<Option<Self>, FileError> {
        let path = folder.join(SUMS_FILE);
        let text = match read_text(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.map_err(FileError::of("read", &path))?,
        };
        let mut sums = Self::default();
        for (line, number) in text.split_inclusive('\n').zip(1..) {
            let Some((name, hash)) = parse(line) else {
                let why = format!("line {number} is not a SHA-256 hash and a file name");
                return Err(FileError::of("read", &path)(io::Error::new(
                    ErrorKind::InvalidData,
                    why,
                )));
            };
            sums.0.insert(name.to_owned(), hash.to_owned());
        }
        Ok(Some(sums))
    }

    /// What is wrong with the file `name` in `folder`; `None` if it has its hash.
    pub fn fault(&self, folder: &Path, name: &str) -> Option<String> {
        let Some(expected) = self.0.get(name) else {
            return Some(format!("it is not listed in `{SUMS_FILE}`"));
        };
        match read(&folder.join(name)) {
            Ok(content) if sha256(&content) == *expected => None,
            Ok(_) => Some(format!(
                "its content is not the one that `{SUMS_FILE}` lists"
            )),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                Some(format!("it is missing, but listed in `{SUMS_FILE}`"))
            }
            Err(e) => Some(format!("it cannot be read: {e}")),
        }
    }
}

/// Name and hash of a line.
fn parse(line: &str) -> Option<(&str, &str)> {
    let (hash, name) = line.strip_suffix('\n')?.split_once("  ")?;
    let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let is_hash = hash.len() == DIGITS && hash.chars().all(is_digit);
    let is_below = !name.is_empty() && !name.starts_with('/') && !name.contains("..");
    (is_hash && is_below).then_some((name, hash))
}

/// SHA-256 of `content`, as 64 lower-case hexadecimal digits.
pub fn sha256(content: &[u8]) -> String {
    format!("{:x}", Sha256::digest(content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn format_is_that_of_sha256sum() {
        let mut sums = Sums::default();
        sums.add("b", b"");
        sums.add("a/c.md", b"abc");
        // sha256sum of an empty file, and of the test vector of FIPS 180-2.
        assert_eq!(
            sums.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a/c.md\n\
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n"
        );
    }

    #[test]
    fn changed_missing_and_unlisted_files_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("a", "1");
        write("b", "2");
        let mut sums = Sums::default();
        for name in ["a", "b", "c"] {
            sums.add_file(dir.path(), name).unwrap();
        }
        assert_eq!(sums.names().collect::<Vec<_>>(), ["a", "b"]);
        write(SUMS_FILE, &sums.to_string());
        let sums = Sums::read(dir.path()).unwrap().unwrap();
        let fault = |name: &str| sums.fault(dir.path(), name).unwrap_or_default();
        assert_eq!(fault("a"), "");
        write("a", "3");
        fs::remove_file(dir.path().join("b")).unwrap();
        assert!(fault("a").contains("content is not"));
        assert!(fault("b").contains("missing"));
        assert!(fault("c").contains("not listed"));
    }

    #[test]
    fn lines_of_another_form_are_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let good = format!("{}  a\n", "0".repeat(64));
        let cut = good.trim_end();
        let above = good.replace("  a", "  ../a");
        let single = good.replace("  a", " a");
        for bad in [cut, above.as_str(), single.as_str(), "0  a\n"] {
            fs::write(dir.path().join(SUMS_FILE), format!("{good}{bad}")).unwrap();
            let error = Sums::read(dir.path()).unwrap_err().to_string();
            assert!(error.contains("line 2"), "{error}");
        }
        fs::write(dir.path().join(SUMS_FILE), good).unwrap();
        assert!(Sums::read(dir.path()).is_ok());
    }
}
