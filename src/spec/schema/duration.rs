//! Durations: a number of seconds, or text such as `90s`, `15min` or `2h`.

use crate::spec::parse::checks::flaw;
use crate::spec::parse::node::brief;
use crate::spec::parse::scalar::Scalar;
use ablate_models::ConfigError;

/// Units and their seconds.
const UNITS: [(&str, f64); 6] = [
    ("ms", 0.001),
    ("s", 1.0),
    ("min", 60.0),
    ("m", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
];

/// Longest duration in seconds: about three years.
const LONGEST: f64 = 1e8;

/// The seconds of the duration at `key`; `None` if none is given.
pub(in crate::spec) fn seconds(
    key: &str,
    given: Option<&Scalar>,
) -> Result<Option<f64>, ConfigError> {
    let Some(given) = given else {
        return Ok(None);
    };
    let seconds = match given {
        Scalar::Number(seconds) => Some(*seconds),
        Scalar::Text(text) => parse(text),
        Scalar::Switch(_) => None,
    };
    match seconds.filter(|seconds| *seconds > 0.0 && *seconds <= LONGEST) {
        Some(seconds) => Ok(Some(seconds)),
        None => flaw(
            key,
            format!(
                "must be a positive duration such as `90s`, `15min` or `2h`, not `{}`",
                brief(&given.name())
            ),
        ),
    }
}

fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text[digits.len()..].trim();
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let count: f64 = digits.trim().parse().ok()?;
    Some(count * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        let read = |text: &str| seconds("t", Some(&Scalar::Text(text.to_owned())));
        for (text, expected) in [
            ("90s", 90.0),
            ("1.5 h", 5_400.0),
            ("15min", 900.0),
            ("2m", 120.0),
            ("250ms", 0.25),
        ] {
            assert_eq!(read(text).unwrap(), Some(expected), "{text}");
        }
        for text in ["", "h", "2", "-1s", "0s", "2 hours", "1e99d", "nan s"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(seconds("t", Some(&Scalar::Number(3.0))).unwrap(), Some(3.0));
        assert_eq!(seconds("t", None).unwrap(), None);
    }
}
