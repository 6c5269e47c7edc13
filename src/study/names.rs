//! Names for arms and studies: lower-case letters, digits and `-`.

/// Longest name that is made of a text.
const LONGEST: usize = 40;

/// The name that `text` gives; empty if it has no letter and no digit of ASCII.
pub fn name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if name.len() == LONGEST {
            break;
        }
        match c.is_ascii_alphanumeric() {
            true => name.push(c),
            false if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            false => {}
        }
    }
    name.trim_end_matches('-').to_owned()
}

/// `name`, or else the first of `name-2`, `name-3` and so on that is not among `taken`.
pub fn distinct<'a>(name: &str, taken: impl Iterator<Item = &'a str> + Clone) -> String {
    let name = if name.is_empty() { "arm" } else { name };
    let is_taken = |candidate: &String| taken.clone().any(|other| other == candidate);
    let numbered = (2u32..).map(|n| format!("{name}-{n}"));
    let mut candidates = std::iter::once(name.to_owned()).chain(numbered);
    candidates
        .find(|candidate| !is_taken(candidate))
        .expect("there are more numbers than names")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_keep_letters_and_digits() {
        for (text, expected) in [
            ("ResNet18 + mixup", "resnet18-mixup"),
            ("--smoothing 0.1", "smoothing-0-1"),
            ("baseline", "baseline"),
            ("--", ""),
            ("é", ""),
        ] {
            assert_eq!(name(text), expected, "{text}");
        }
        assert_eq!(name(&"a".repeat(100)).len(), LONGEST);
    }

    #[test]
    fn repeated_names_are_numbered() {
        let taken = ["a", "a-2"];
        assert_eq!(distinct("a", taken.iter().copied()), "a-3");
        assert_eq!(distinct("b", taken.iter().copied()), "b");
        assert_eq!(distinct("", taken.iter().copied()), "arm");
    }

    proptest! {
        #[test]
        fn names_are_valid_in_experiment_files(text in "\\PC{0,60}") {
            let made = name(&text);
            prop_assert!(made.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
            prop_assert!(!made.starts_with('-') && !made.ends_with('-'));
        }
    }
}
