//! Experiments that repeat another one under other conditions.

use super::BASE;
use crate::recipe::DataName;
use crate::spec::{Spec, SpecError};

/// Loads `own` as `own.toml` beside `BASE` as `base.toml`.
fn load(own: &str) -> Result<Spec, SpecError> {
    load_beside(BASE, own)
}

fn load_beside(base: &str, own: &str) -> Result<Spec, SpecError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("base.toml"), base).unwrap();
    let path = folder.path().join("own.toml");
    std::fs::write(&path, own).unwrap();
    Spec::load(&path, &[])
}

const OWN: &str = "extends = 'base'\ntitle = 'Own'\n";

#[test]
fn what_the_file_does_not_say_comes_from_the_base() {
    let base = load_beside(BASE, BASE).unwrap();
    let spec = load(&format!("{OWN}data.name = 'mnist'\ntrain.epochs = 9\n")).unwrap();
    assert_eq!((spec.name.as_str(), spec.title.as_str()), ("own", "Own"));
    assert_eq!(spec.suites, [""; 0], "suites are about one file");
    assert_eq!(spec.contrasts, base.contrasts);
    assert_eq!(spec.arms.len(), base.arms.len());
    for (arm, base) in spec.arms.iter().zip(&base.arms) {
        let mut expected = base.clone();
        let net = expected.net_mut().unwrap();
        net.data.name = DataName::Mnist;
        net.train.length = crate::recipe::Length::Epochs(9);
        assert_eq!(*arm, expected);
    }
}

#[test]
fn arms_and_contrasts_merge_by_name() {
    let base = load_beside(BASE, BASE).unwrap();
    let (first, contrast) = (&base.arms[0].name, &base.contrasts[0].name);
    let spec = load(&format!(
        "{OWN}[[arms]]\nname = 'new'\n[[arms]]\nname = '{first}'\nlabel = 'L'\n\
         [[contrasts]]\nname = '{contrast}'\nmargin = 0.125\n"
    ))
    .unwrap();
    let names: Vec<_> = spec.arms.iter().map(|arm| arm.name.as_str()).collect();
    let mut expected: Vec<_> = base.arms.iter().map(|arm| arm.name.as_str()).collect();
    expected.push("new");
    assert_eq!(names, expected);
    assert_eq!(spec.arms[0].label, "L");
    assert_eq!(spec.arms[0].recipe, base.arms[0].recipe);
    assert_eq!(spec.contrasts.len(), base.contrasts.len());
    assert_eq!(spec.contrasts[0].margin, 0.125);
    assert_eq!(spec.contrasts[0].comparison, base.contrasts[0].comparison);
}

#[test]
fn mistakes_name_the_line_of_the_file_and_of_the_base() {
    for (own, line, part) in [
        ("extends = 'bsae'\ntitle = 'T'", 1, "did you mean `base`?"),
        ("extends = 3", 1, "must be the name"),
        ("extends = 'base.toml'", 1, "without `.toml`"),
        (
            "title = 'T'\nextends = 'own'",
            2,
            "extends another experiment itself",
        ),
        (
            "extends = 'base'\ntitle = 'T'\ntrain.epochss = 3",
            3,
            "did you mean `train.epochs`?",
        ),
        ("extends = 'base'", 1, "`title` is missing"),
    ] {
        let error = load(own).expect_err(own);
        assert!(error.message().contains(part), "{own}: {error}");
        assert!(
            error.line().is_none_or(|found| found == line),
            "{own}: {error}"
        );
    }
    // A rate of the base is invalid only with the data of the file.
    let error = load("extends = 'base'\ntitle = 'T'\n\ndata.validation = 0.0").unwrap_err();
    assert_eq!(error.line(), Some(1), "{error}");
    let rates = BASE
        .lines()
        .position(|line| line.starts_with("learning_rate"))
        .unwrap()
        + 1;
    let place = format!("(line {rates} of `base.toml`)");
    assert!(error.message().contains(&place), "{error}");
}

#[test]
fn an_invalid_base_is_named() {
    let error = load_beside(&BASE.replace("epochs = 5", "epochs = 0"), OWN).unwrap_err();
    assert_eq!(error.line(), Some(1));
    assert!(error.message().contains("not valid"), "{error}");
    assert!(error.message().contains("base.toml"), "{error}");
}
