//! The claims that experiments test: one file beside the experiments.

use super::check::flaw;
use super::fault::Fault;
use super::files::read_text;
use super::identity::{COUNT, is_number};
use super::reader::read;
use super::tree::Node;
use super::{CLAIMS_FILE, SpecError};
use ablate_models::ConfigError;
use serde::Deserialize;
use std::path::Path;

/// A claim as its authors wrote it, and what no experiment here can say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// `C1` ... `C7`.
    pub name: String,
    /// The sentence.
    pub sentence: String,
    /// What kind of claim it is, in a few words.
    pub kind: String,
    /// What would support the sentence.
    pub supports: String,
    /// What would contradict it.
    pub contradicts: String,
    /// Numbers of the identities that it rests on.
    pub identities: Vec<usize>,
    /// Measured names, up to the first point (`inactive` for `inactive.blocks.0`), that bear on it.
    pub probes: Vec<String>,
    /// What the suite cannot say about it.
    pub limits: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    claims: Vec<ClaimTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimTable {
    name: ClaimName,
    sentence: String,
    kind: String,
    supports: String,
    contradicts: String,
    #[serde(default)]
    identities: Vec<usize>,
    #[serde(default)]
    probes: Vec<String>,
    limits: Vec<String>,
}

/// The claims that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum ClaimName {
    C1,
    C2,
    C3,
    C4,
    C5,
    C6,
    C7,
}

impl ClaimName {
    pub(super) fn text(self) -> String {
        format!("{self:?}")
    }
}

impl Claim {
    /// The claims of the file in `experiments_dir`, in its order; none without the file.
    ///
    /// # Errors
    /// If the file cannot be read or is not valid.
    pub fn load_all(experiments_dir: &Path) -> Result<Vec<Self>, SpecError> {
        let path = experiments_dir.join(CLAIMS_FILE);
        match path.exists() {
            true => Self::parse_all(&path, &read_text(&path)?),
            false => Ok(Vec::new()),
        }
    }

    /// Reads claims from the text of `path`, which appears in errors only.
    ///
    /// # Errors
    /// At the first thing that is wrong, with its line, its key and advice.
    pub fn parse_all(path: &Path, text: &str) -> Result<Vec<Self>, SpecError> {
        parse(text).map_err(|fault| SpecError::new(path, &fault))
    }
}

fn parse(text: &str) -> Result<Vec<Claim>, Fault> {
    let root = Node::document(text)?;
    let document: Document = read(&root)?;
    let mut claims: Vec<Claim> = Vec::new();
    for (i, table) in document.claims.into_iter().enumerate() {
        let claim = Claim {
            name: table.name.text(),
            sentence: table.sentence,
            kind: table.kind,
            supports: table.supports,
            contradicts: table.contradicts,
            identities: table.identities,
            probes: table.probes,
            limits: table.limits,
        };
        check(&claim, &claims, i)
            .map_err(|error| Fault::said(&error.message).at(&root.locate(&error.key)))?;
        claims.push(claim);
    }
    Ok(claims)
}

fn check(claim: &Claim, earlier: &[Claim], place: usize) -> Result<(), ConfigError> {
    if earlier.iter().any(|other| other.name == claim.name) {
        return flaw(
            &format!("claims.{place}.name"),
            format!("repeats `{}`", claim.name),
        );
    }
    if let Some(i) = claim.identities.iter().position(|n| !is_number(*n)) {
        let message = format!("must be 1 to {COUNT}, not {}", claim.identities[i]);
        return flaw(&format!("claims.{place}.identities.{i}"), message);
    }
    let texts = [
        ("sentence", &claim.sentence),
        ("kind", &claim.kind),
        ("supports", &claim.supports),
        ("contradicts", &claim.contradicts),
    ];
    let lists = [("probes", &claim.probes), ("limits", &claim.limits)];
    let items = lists.into_iter().flat_map(|(key, list)| {
        let items = list.iter().enumerate();
        items.map(move |(k, text)| (format!("{key}.{k}"), text))
    });
    let all = texts
        .into_iter()
        .map(|(key, text)| (key.to_owned(), text))
        .chain(items);
    for (key, text) in all {
        if text.trim().is_empty() {
            return flaw(&format!("claims.{place}.{key}"), "is empty");
        }
    }
    match claim.limits.is_empty() {
        true => flaw(
            &format!("claims.{place}.limits"),
            "is empty; say at least one thing that the suite cannot say",
        ),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[[claims]]\nname = \"C1\"\nsentence = \"S.\"\nkind = \"K\"\n\
                        supports = \"A.\"\ncontradicts = \"B.\"\nlimits = [\"L.\"]\n\
                        \n[[claims]]\nname = \"C6\"\nsentence = \"T.\"\nkind = \"K\"\n\
                        supports = \"A.\"\ncontradicts = \"B.\"\nidentities = [1, 8]\n\
                        probes = [\"bias_gradient\"]\nlimits = [\"L.\", \"M.\"]\n";

    fn parse(text: &str) -> Result<Vec<Claim>, SpecError> {
        Claim::parse_all(Path::new("claims.toml"), text)
    }

    #[test]
    fn claims_are_read_in_their_order() {
        let claims = parse(TEXT).unwrap();
        let names: Vec<&str> = claims.iter().map(|claim| claim.name.as_str()).collect();
        assert_eq!(names, ["C1", "C6"]);
        assert_eq!(claims[1].probes, ["bias_gradient"]);
        assert_eq!(claims[1].limits.len(), 2);
        assert_eq!(
            (&claims[0].identities, &claims[1].identities),
            (&vec![], &vec![1, 8])
        );
        assert_eq!(
            (claims[0].supports.as_str(), claims[0].contradicts.as_str()),
            ("A.", "B.")
        );
    }

    #[test]
    fn mistakes_are_answered_with_line_key_and_advice() {
        for (old, new, line, key, part) in [
            (
                "kind",
                "kidn",
                4,
                "claims[0].kidn",
                "did you mean `claims[0].kind`?",
            ),
            ("\"C6\"", "\"C9\"", 10, "claims[1].name", "cannot be `C9`"),
            ("\"C6\"", "\"C1\"", 10, "claims[1].name", "repeats `C1`"),
            ("\"S.\"", "\" \"", 3, "claims[0].sentence", "is empty"),
            (
                "[\"L.\"]",
                "[]",
                7,
                "claims[0].limits",
                "at least one thing",
            ),
            ("\"M.\"", "\"\"", 17, "claims[1].limits[1]", "is empty"),
            ("\"A.\"", "\" \"", 5, "claims[0].supports", "is empty"),
            ("\"B.\"", "\"\"", 6, "claims[0].contradicts", "is empty"),
            (
                "[1, 8]",
                "[1, 9]",
                15,
                "claims[1].identities[1]",
                "must be 1 to 8, not 9",
            ),
            (
                "limits = [\"L.\"]\n",
                "",
                1,
                "claims[0].limits",
                "is missing",
            ),
        ] {
            let error = parse(&TEXT.replacen(old, new, 1)).unwrap_err();
            assert_eq!(
                (error.line(), error.key()),
                (Some(line), Some(key)),
                "{error}"
            );
            assert!(error.message().contains(part), "{error}");
        }
    }

    #[test]
    fn a_folder_without_the_file_has_no_claims() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Claim::load_all(folder.path()).unwrap(), []);
        std::fs::write(folder.path().join(CLAIMS_FILE), TEXT).unwrap();
        assert_eq!(Claim::load_all(folder.path()).unwrap().len(), 2);
    }
}
