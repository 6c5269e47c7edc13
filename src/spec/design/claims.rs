//! The claims that experiments test, and the identities that the claims rest on: one file beside
//! the experiments.

use crate::spec::files::read_text;
use crate::spec::parse::checks::{flaw, is_identifier, known, under};
use crate::spec::parse::diagnostic::Diagnostic;
use crate::spec::parse::node::Node;
use crate::spec::parse::reader::read;
use crate::spec::{CLAIMS_FILE, Contrast, Spec, SpecError};
use ablate_models::ConfigError;
use serde::Deserialize;
use std::path::Path;

/// Longest `short` of a claim, in characters: it is one cell of a table that fits a terminal.
const MAX_SHORT: usize = 60;

/// Longest side of `axis`, in characters: both must fit above the axis of a figure.
const MAX_SIDE: usize = 24;

/// A claim: its sentence, what would decide it, and what to do with the answer.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Name by which experiments refer to it; letters, digits and `-`.
    pub name: String,
    /// The claim in at most 60 characters.
    pub short: String,
    /// The sentence under test, as its authors wrote it.
    pub sentence: String,
    /// Whether the sentence states it. A claim that the sentence only suggests has an answer of its own
    /// and never counts for another one.
    #[serde(default = "stated")]
    pub stated: bool,
    /// Strata by which it is answered, such as activations, in the order of its page. Empty if one answer
    /// covers all conditions.
    #[serde(default)]
    pub strata: Vec<String>,
    /// What a negative and a positive difference mean, as labels of an axis.
    pub axis: Option<[String; 2]>,
    /// Kind of claim, in a few words.
    pub kind: String,
    /// Observations that would support the sentence.
    pub supports: String,
    /// Observations that would contradict it.
    pub contradicts: String,
    /// Numbers of the identities that it rests on.
    #[serde(default)]
    pub identities: Vec<usize>,
    /// Measured names that bear on it, up to the first point (`inactive` for `inactive.blocks.0`).
    #[serde(default)]
    pub probes: Vec<String>,
    /// What the suite cannot say about it.
    pub limits: Vec<String>,
    /// What to do, by answer.
    pub in_practice: InPractice,
}

/// Advice to the reader, one sentence per answer to a claim.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InPractice {
    /// The claim is supported in every stratum.
    pub supported: String,
    /// The claim is contradicted in every stratum.
    pub contradicted: String,
    /// The answers of the strata, or of the conditions of a stratum, differ.
    pub depends: String,
    /// The data decide nothing yet.
    pub undecided: String,
}

/// An identity that claims rest on and experiments check.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredIdentity {
    /// Number by which claims and experiments refer to it.
    pub number: usize,
    /// The identity in words or as a formula.
    pub statement: String,
}

/// Content of the file of claims.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The claims, in the order of the file.
    #[serde(default)]
    pub claims: Vec<Claim>,
    /// The identities, in the order of the file.
    #[serde(default)]
    pub identities: Vec<DeclaredIdentity>,
}

const fn stated() -> bool {
    true
}

impl Claim {
    /// The claims of the file in `experiments_dir`, in its order; none without the file.
    ///
    /// # Errors
    /// If the file cannot be read or is not valid.
    pub fn load_all(experiments_dir: &Path) -> Result<Vec<Self>, SpecError> {
        let loaded = Claims::load(experiments_dir)?;
        Ok(loaded.unwrap_or_default().claims)
    }
}

impl Claims {
    /// The file in `experiments_dir`; `None` if there is none.
    ///
    /// # Errors
    /// If the file cannot be read or is not valid.
    pub fn load(experiments_dir: &Path) -> Result<Option<Self>, SpecError> {
        let path = experiments_dir.join(CLAIMS_FILE);
        match path.exists() {
            true => Self::parse(&path, &read_text(&path)?).map(Some),
            false => Ok(None),
        }
    }

    /// Reads claims from `text`. `path` appears in errors only.
    ///
    /// # Errors
    /// At the first mistake, with its line, its key and advice.
    pub fn parse(path: &Path, text: &str) -> Result<Self, SpecError> {
        parse(text).map_err(|fault| SpecError::new(path, &fault))
    }

    /// Checks that every claim and every identity that `spec` refers to is declared.
    ///
    /// # Errors
    /// At the first that is not, with its key.
    pub(in crate::spec) fn check(&self, spec: &Spec) -> Result<(), ConfigError> {
        let names: Vec<&str> = self.claims.iter().map(|claim| &*claim.name).collect();
        if let Some(name) = &spec.claim {
            declared("claim", name, &names)?;
        }
        for (i, name) in spec.bears_on.iter().enumerate() {
            declared(&format!("bears_on.{i}"), name, &names)?;
        }
        for (i, contrast) in spec.contrasts.iter().enumerate() {
            self.check_contrast(contrast, &names)
                .map_err(|error| under(&format!("contrasts.{i}"), error))?;
        }
        for (i, identity) in spec.identities.iter().enumerate() {
            self.check_number(&format!("identities.{i}.number"), identity.number)?;
        }
        Ok(())
    }

    /// Checks that the claim of `contrast` is declared, and that its stratum is one of that claim.
    fn check_contrast(&self, contrast: &Contrast, names: &[&str]) -> Result<(), ConfigError> {
        let Some(name) = &contrast.claim else {
            return Ok(());
        };
        let claim = &self.claims[declared("claim", name, names)?];
        let strata: Vec<&str> = claim.strata.iter().map(|s| &**s).collect();
        let listed = strata.join("`, `");
        let message = match &contrast.stratum {
            Some(stratum) if strata.is_empty() => format!(
                "names `{stratum}`, but `{name}` has no strata in `{CLAIMS_FILE}`; remove it, or \
                 declare `strata` there"
            ),
            Some(stratum) if !strata.contains(&stratum.as_str()) => format!(
                "names `{stratum}`, which is no stratum of `{name}`; its strata are `{listed}`"
            ),
            None if contrast.primary && !strata.is_empty() => format!(
                "is missing; a primary contrast on `{name}` names one of its strata: `{listed}`"
            ),
            Some(_) | None => return Ok(()),
        };
        flaw("stratum", message)
    }

    fn check_number(&self, key: &str, number: usize) -> Result<(), ConfigError> {
        if self.identities.iter().any(|i| i.number == number) {
            return Ok(());
        }
        let numbers: Vec<String> = (self.identities.iter())
            .map(|identity| identity.number.to_string())
            .collect();
        let message = match numbers.is_empty() {
            true => format!("is {number}, but `{CLAIMS_FILE}` declares no `[[identities]]`"),
            false => format!(
                "is {number}; the identities in `{CLAIMS_FILE}` are {}",
                numbers.join(", ")
            ),
        };
        flaw(key, message)
    }
}

/// The index of `name` in `names`, the names of all claims.
fn declared(key: &str, name: &str, names: &[&str]) -> Result<usize, ConfigError> {
    if names.is_empty() {
        let message = format!("names `{name}`, but `{CLAIMS_FILE}` declares no `[[claims]]`");
        return flaw(key, message);
    }
    known(key, name, names, &format!("claim in `{CLAIMS_FILE}`"))
}

fn parse(text: &str) -> Result<Claims, Diagnostic> {
    let root = Node::document(text)?;
    let file: Claims = read(&root)?;
    check(&file).map_err(|error| Diagnostic::said(&error.message).at(&root.locate(&error.key)))?;
    Ok(file)
}

fn check(file: &Claims) -> Result<(), ConfigError> {
    for (i, identity) in file.identities.iter().enumerate() {
        let key = |name: &str| format!("identities.{i}.{name}");
        let earlier = &file.identities[..i];
        if earlier.iter().any(|other| other.number == identity.number) {
            return flaw(&key("number"), format!("repeats {}", identity.number));
        }
        not_empty(&key("statement"), &identity.statement)?;
    }
    for (i, claim) in file.claims.iter().enumerate() {
        check_claim(file, claim, &file.claims[..i])
            .map_err(|error| under(&format!("claims.{i}"), error))?;
    }
    Ok(())
}

fn check_claim(file: &Claims, claim: &Claim, earlier: &[Claim]) -> Result<(), ConfigError> {
    if !is_identifier(&claim.name) {
        let message = format!(
            "must be letters, digits and `-`, as in `C1`, not `{}`",
            claim.name
        );
        return flaw("name", message);
    }
    if earlier.iter().any(|other| other.name == claim.name) {
        return flaw("name", format!("repeats `{}`", claim.name));
    }
    let length = claim.short.chars().count();
    if length > MAX_SHORT {
        let message = format!("has {length} characters; at most {MAX_SHORT} fit the table");
        return flaw("short", message);
    }
    for (i, number) in claim.identities.iter().enumerate() {
        file.check_number(&format!("identities.{i}"), *number)?;
    }
    for (key, text) in [
        ("short", &claim.short),
        ("sentence", &claim.sentence),
        ("kind", &claim.kind),
        ("supports", &claim.supports),
        ("contradicts", &claim.contradicts),
        ("in_practice.supported", &claim.in_practice.supported),
        ("in_practice.contradicted", &claim.in_practice.contradicted),
        ("in_practice.depends", &claim.in_practice.depends),
        ("in_practice.undecided", &claim.in_practice.undecided),
    ] {
        not_empty(key, text)?;
    }
    for (i, stratum) in claim.strata.iter().enumerate() {
        if claim.strata[..i].contains(stratum) {
            return flaw(&format!("strata.{i}"), format!("repeats `{stratum}`"));
        }
    }
    for (i, side) in claim.axis.iter().flatten().enumerate() {
        let length = side.chars().count();
        if length > MAX_SIDE {
            let message = format!("has {length} characters; at most {MAX_SIDE} fit the figure");
            return flaw(&format!("axis.{i}"), message);
        }
        not_empty(&format!("axis.{i}"), side)?;
    }
    for (key, list) in [
        ("strata", &claim.strata),
        ("probes", &claim.probes),
        ("limits", &claim.limits),
    ] {
        for (i, text) in list.iter().enumerate() {
            not_empty(&format!("{key}.{i}"), text)?;
        }
    }
    match claim.limits.is_empty() {
        true => flaw(
            "limits",
            "is empty; name at least one thing that the experiments cannot show",
        ),
        false => Ok(()),
    }
}

fn not_empty(key: &str, text: &str) -> Result<(), ConfigError> {
    match text.trim().is_empty() {
        true => flaw(key, "is empty"),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"[[claims]]
name = "C1"
short = "It helps"
sentence = "S."
kind = "K"
supports = "A."
contradicts = "B."
limits = ["L."]
[claims.in_practice]
supported = "Do."
contradicted = "Do not."
depends = "Compare."
undecided = "Wait."

[[claims]]
name = "my-claim"
short = "It spreads"
sentence = "T."
kind = "K"
supports = "C."
contradicts = "D."
identities = [1, 8]
probes = ["bias_gradient"]
limits = ["M.", "N."]
in_practice = { supported = "a", contradicted = "b", depends = "c", undecided = "d" }

[[identities]]
number = 1
statement = "1 = 1"

[[identities]]
number = 8
statement = "8 = 8"
"#;

    fn parse(text: &str) -> Result<Claims, SpecError> {
        Claims::parse(Path::new("claims.toml"), text)
    }

    #[test]
    fn claims_are_read_in_file_order() {
        let Claims { claims, identities } = parse(TEXT).unwrap();
        let names: Vec<&str> = claims.iter().map(|claim| claim.name.as_str()).collect();
        assert_eq!(names, ["C1", "my-claim"]);
        assert_eq!(claims[0].in_practice.depends, "Compare.");
        assert_eq!(claims[1].short, "It spreads");
        assert_eq!(claims[1].probes, ["bias_gradient"]);
        assert_eq!(claims[1].identities, [1, 8]);
        assert!(claims[0].identities.is_empty());
        assert_eq!(identities[1].statement, "8 = 8");
    }

    #[test]
    fn longest_texts_are_accepted() {
        let (short, side) = ("x".repeat(60), "y".repeat(24));
        let text = TEXT
            .replace("\"It helps\"", &format!("\"{short}\""))
            .replace(
                "kind = \"K\"",
                &format!("kind = \"K\"\naxis = [\"{side}\", \"{side}\"]"),
            );
        assert_eq!(parse(&text).unwrap().claims[0].short, short);
    }

    #[test]
    fn mistakes_are_reported_with_line_key_and_advice() {
        let long = format!("{:?}", "x".repeat(61));
        for (old, new, line, key, part) in [
            ("kind", "kidn", 5, "claims[0].kidn", "claims[0].kind`?"),
            ("C1", "C 1", 2, "claims[0].name", "letters, digits and `-`"),
            ("my-claim", "C1", 16, "claims[1].name", "repeats `C1`"),
            ("\"S.\"", "\" \"", 4, "claims[0].sentence", "is empty"),
            ("\"A.\"", "\"\"", 6, "claims[0].supports", "is empty"),
            ("\"B.\"", "\"\"", 7, "claims[0].contradicts", "is empty"),
            ("\"N.\"", "\"\"", 24, "claims[my-claim].limits[1]", "empty"),
            ("[\"L.\"]", "[]", 8, "claims[0].limits", "at least one"),
            (
                "kind = \"K\"",
                "kind = \"K\"\nstrata = [\"a\", \"b\", \"a\"]",
                6,
                "claims[0].strata[2]",
                "repeats `a`",
            ),
            (
                "kind = \"K\"",
                "kind = \"K\"\naxis = [\"worse\", \"much better than all the others\"]",
                6,
                "claims[0].axis[1]",
                "at most 24",
            ),
            ("\"It helps\"", &long, 3, "claims[0].short", "61 characters"),
            (
                "depends = \"Compare.\"\n",
                "",
                9,
                "claims[0].in_practice.depends",
                "is missing",
            ),
            (
                "[1, 8]",
                "[1, 9]",
                22,
                "claims[my-claim].identities[1]",
                "is 9; the identities in `claims.toml` are 1, 8",
            ),
            (
                "number = 8",
                "number = 1",
                32,
                "identities[1].number",
                "repeats 1",
            ),
        ] {
            let error = parse(&TEXT.replacen(old, new, 1)).expect_err(new);
            let found = (error.line(), error.key());
            assert_eq!(found, (Some(line), Some(key)), "{error}");
            assert!(error.message().contains(part), "{error}");
        }
    }

    /// A small experiment on `C1` with `contrast` added to its contrast.
    fn with_contrast(contrast: &str, strata: &str) -> Result<Spec, SpecError> {
        let smoke = include_str!("../../../experiments/smoke.toml");
        let spec = smoke.replace("margin = 1.0", &format!("margin = 1.0\n{contrast}"));
        let declared = TEXT.replacen("kind = \"K\"", &format!("kind = \"K\"\n{strata}"), 1);
        let claims = parse(&declared).unwrap();
        let zoo = crate::spec::Registry::zoo();
        Spec::parse_beside(&zoo, Some(&claims), "x", Path::new("x.toml"), &spec, &[])
    }

    #[test]
    fn contrasts_name_declared_claims_and_strata() {
        let strata = "strata = [\"SGD\", \"Adam\"]";
        let spec = with_contrast("claim = \"C1\"\nstratum = \"Adam\"", strata).unwrap();
        let contrast = &spec.contrasts[0];
        assert_eq!(contrast.claim.as_deref(), Some("C1"));
        assert_eq!(contrast.stratum.as_deref(), Some("Adam"));
        assert!(with_contrast("claim = \"C1\"", "").is_ok());
        assert!(with_contrast("claim = \"C1\"\nprimary = false", strata).is_ok());
        for (contrast, strata, key, part) in [
            ("claim = \"C9\"", "", "claim", "no claim in `claims.toml`"),
            ("claim = \"C1\"", strata, "stratum", "is missing"),
            ("stratum = \"Adam\"", "", "stratum", "needs a `claim`"),
            (
                "claim = \"C1\"\nstratum = \"adam\"",
                strata,
                "stratum",
                "its strata are `SGD`, `Adam`",
            ),
            (
                "claim = \"C1\"\nstratum = \"Adam\"",
                "",
                "stratum",
                "has no strata",
            ),
        ] {
            let error = with_contrast(contrast, strata).expect_err(contrast);
            let expected = format!("contrasts[dropout-vs-none].{key}");
            assert_eq!(error.key(), Some(&*expected), "{error}");
            assert!(error.message().contains(part), "{error}");
        }
    }

    #[test]
    fn folder_without_the_file_has_no_claims() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Claim::load_all(folder.path()).unwrap(), []);
        std::fs::write(folder.path().join(CLAIMS_FILE), TEXT).unwrap();
        assert_eq!(Claim::load_all(folder.path()).unwrap().len(), 2);
    }

    #[test]
    fn spec_may_only_name_declared_claims_and_identities() {
        let smoke = include_str!("../../../experiments/smoke.toml");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("smoke.toml");
        std::fs::write(&path, format!("bears_on = [\"my-clam\"]\n{smoke}")).unwrap();
        assert!(Spec::load(&path, &[]).is_ok(), "nothing is declared yet");
        std::fs::write(folder.path().join(CLAIMS_FILE), TEXT).unwrap();
        let error = Spec::load(&path, &[]).unwrap_err();
        assert_eq!((error.line(), error.key()), (Some(1), Some("bears_on[0]")));
        assert!(
            error.message().contains("did you mean `my-claim`?"),
            "{error}"
        );
        std::fs::write(folder.path().join(CLAIMS_FILE), "").unwrap();
        let error = Spec::load(&path, &[]).unwrap_err();
        assert!(
            error.message().contains("declares no `[[claims]]`"),
            "{error}"
        );
    }
}
