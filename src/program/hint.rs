//! A regular expression to suggest for a metric that a program prints as text.

use regex::{Captures, Regex, escape};

/// A number, as it is printed.
const NUMBER: &str = r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?";

/// How to read `metric` from text; `lines` are the last lines of output.
pub(super) fn how_to_read(metric: &str, lines: &str) -> String {
    let example = pattern(metric, lines);
    let pattern = example.unwrap_or_else(|| "TEXT BEFORE THE NUMBER ([0-9.]+)".to_owned());
    format!(
        "it printed no JSON object with numbers. If it prints `{metric}` as text, name a pattern: \
         `ablate vs --regex '{metric}={pattern}'`, or `metrics = {{ regex = {{ \"{metric}\" = '{pattern}' }} }}` \
         in a file"
    )
}

/// A pattern for the last number that follows the name of `metric` in `lines`, if there is one.
fn pattern(metric: &str, lines: &str) -> Option<String> {
    let words: Vec<String> = metric.split(['_', '-', ' ']).map(escape).collect();
    let name = words.join("[ _-]?");
    let text = format!(r"(?i)({name})(\s*[:=]?\s*)({NUMBER})(/[0-9]+)?");
    let search = Regex::new(&text).ok()?;
    let found: Captures<'_> = search.captures_iter(lines).last()?;
    let gap = match found[2].trim() {
        "" if found[2].is_empty() => String::new(),
        "" => r"\s+".to_owned(),
        sign => format!(r"\s*{sign}\s*"),
    };
    let number = match found.get(4) {
        Some(_) => r"(\d+)/(\d+)",
        None => r"([-+.\deE]+)",
    };
    Some(format!("{}{gap}{number}", escape(&found[1])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggested_pattern_reads_the_number_that_follows_the_name() {
        for (metric, line, groups) in [
            ("P@1", "N\t326 / P@1\t0.252 / R@1\t0.25", vec!["0.252"]),
            (
                "accuracy",
                "loss: 0.03, Accuracy: 9913/10000 (99%)",
                vec!["9913", "10000"],
            ),
            (
                "test_loss",
                "step 500 train loss: 2.1 test loss: 2.2",
                vec!["2.2"],
            ),
            ("f1", "F1=-1.5e-3 done", vec!["-1.5e-3"]),
        ] {
            let text = pattern(metric, line).expect(line);
            let found = Regex::new(&text).unwrap().captures_iter(line).last();
            let found = found.unwrap_or_else(|| panic!("{text} does not match {line}"));
            let read: Vec<&str> = found.iter().skip(1).flatten().map(|m| m.as_str()).collect();
            assert_eq!(read, groups, "{text}");
        }
        assert_eq!(pattern("accuracy", "nothing of the kind"), None);
    }
}
