//! Placeholders in braces, such as `{seed}`.
//!
//! A name between braces consists of letters, digits, `_`, `-` and `.`. Other text in braces, such as JSON,
//! is not a placeholder. `{{` and `}}` stand for single braces.

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'t> {
    /// Text as written.
    Text(&'t str),
    /// A doubled brace, and the brace that it stands for.
    Brace(&'t str),
    /// The name of a placeholder.
    Name(&'t str),
}

/// Splits a template into its parts.
fn parts(template: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        if at > 0 {
            parts.push(Part::Text(&rest[..at]));
        }
        rest = &rest[at..];
        let taken = if rest.starts_with("{{") || rest.starts_with("}}") {
            parts.push(Part::Brace(&rest[..1]));
            2
        } else if let Some(name) = name(rest) {
            parts.push(Part::Name(name));
            name.len() + 2
        } else {
            parts.push(Part::Text(&rest[..1]));
            1
        };
        rest = &rest[taken..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    parts
}

/// The name of the placeholder that `text` starts with.
fn name(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('{')?;
    let name = &inside[..inside.find('}')?];
    let valid = |c: char| c.is_ascii_alphanumeric() || ['_', '-', '.'].contains(&c);
    (!name.is_empty() && name.chars().all(valid)).then_some(name)
}

/// The names of the placeholders in `template`, in order.
pub fn names(template: &str) -> impl Iterator<Item = &str> {
    parts(template).into_iter().filter_map(|part| match part {
        Part::Name(name) => Some(name),
        Part::Text(_) | Part::Brace(_) => None,
    })
}

/// Replaces the placeholders for which `value` has a value; the result is a template again.
pub fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let text = |part| match part {
        Part::Text(text) => text.to_owned(),
        Part::Brace(brace) => brace.repeat(2),
        Part::Name(name) => match value(name) {
            Some(value) => escaped(&value),
            None => format!("{{{name}}}"),
        },
    };
    parts(template).into_iter().map(text).collect()
}

/// The template that stands for `text` itself.
pub fn escaped(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

/// The final text of `template`, with doubled braces as single ones.
///
/// # Errors
/// The name of the first placeholder without a value.
pub fn expand(template: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, &str> {
    let text = |part| match part {
        Part::Text(text) | Part::Brace(text) => Ok(text.to_owned()),
        Part::Name(name) => value(name).ok_or(name),
    };
    parts(template).into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(name: &str) -> Option<String> {
        match name {
            "seed" => Some("7".to_owned()),
            "set.size" => Some("{x}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn names_are_found_and_other_braces_are_text() {
        let found = |text| names(text).collect::<Vec<_>>();
        assert_eq!(
            found("--seed={seed} {set.size}{a-b}"),
            ["seed", "set.size", "a-b"]
        );
        assert!(found(r#"{"a": 1} { seed } {{seed}} {} {"#).is_empty());
    }

    #[test]
    fn expansion_replaces_names_and_doubled_braces() {
        assert_eq!(expand("a{seed}b", value).unwrap(), "a7b");
        assert_eq!(
            expand("{{seed}} ${{HOME}}", value).unwrap(),
            "{seed} ${HOME}"
        );
        assert_eq!(
            expand(r#"{"seed": {seed}}"#, value).unwrap(),
            r#"{"seed": 7}"#
        );
        assert_eq!(expand("{seed}{other}", value), Err("other"));
    }

    #[test]
    fn filled_values_are_not_expanded_again() {
        let filled = fill("{set.size} {out} {{out}}", value);
        assert_eq!(filled, "{{x}} {out} {{out}}");
        let out = |name: &str| (name == "out").then(|| "/o".to_owned());
        assert_eq!(expand(&filled, out).unwrap(), "{x} /o {out}");
    }

    proptest! {
        #[test]
        fn text_without_names_survives_filling_and_expanding(text in "[a-z{} \"]{0,20}") {
            let plain = fill("{v}", |_| Some(text.clone()));
            prop_assert_eq!(expand(&plain, |_| None).unwrap(), text);
        }
    }
}
