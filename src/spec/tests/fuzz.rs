//! No text makes the reader panic or report a wrong line.

use super::factors::crossed;
use super::{BASE, FILE, parse};
use crate::spec::{Override, Spec};
use proptest::prelude::*;
use std::path::Path;

/// Bits of TOML that, put anywhere, make almost-valid files.
const SCRAPS: &[&str] = &[
    "=",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\"\"\"",
    "'",
    "\n",
    ".",
    ",",
    "#",
    "[[arms]]",
    "[train]",
    "kind = ",
    "preset = 'a'",
    "nan",
    "-inf",
    "1e999",
    "0x7f",
    "2020-01-01",
    "set.",
    "[[factors]]",
    "between.",
    "\0",
    "true",
];

#[derive(Clone, Debug)]
enum Mutation {
    Byte(usize, u8),
    Cut(usize, usize),
    Scrap(usize, usize),
    RepeatLine(usize, usize),
    SwapValue(usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<usize>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(i, byte)| Mutation::Byte(i, byte)),
        (at(), 0..40_usize).prop_map(|(i, n)| Mutation::Cut(i, n)),
        (at(), at()).prop_map(|(i, n)| Mutation::Scrap(i, n)),
        (at(), at()).prop_map(|(i, n)| Mutation::RepeatLine(i, n)),
        (at(), at()).prop_map(|(i, n)| Mutation::SwapValue(i, n)),
    ]
}

fn mutate(text: &str, mutation: &Mutation) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let (length, count) = (bytes.len() + 1, lines.len());
    match *mutation {
        Mutation::Byte(i, byte) => {
            if let Some(old) = bytes.get_mut(i % length) {
                *old = byte;
            }
        }
        Mutation::Cut(i, n) => {
            let start = i % length;
            bytes.drain(start..(start + n).min(length - 1));
        }
        Mutation::Scrap(i, n) => {
            let at = i % length;
            bytes.splice(at..at, SCRAPS[n % SCRAPS.len()].bytes());
        }
        Mutation::RepeatLine(i, n) => {
            lines.insert(n % count, lines[i % count].clone());
            return lines.join("\n");
        }
        Mutation::SwapValue(i, n) => {
            let pair = (
                lines[i % count].split_once('='),
                lines[n % count].split_once('='),
            );
            if let (Some((key, _)), Some((_, value))) = pair {
                lines[i % count] = format!("{key}={value}");
            }
            return lines.join("\n");
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_mutation_of_a_spec_makes_the_reading_panic(
        base in prop_oneof![Just(BASE.to_owned()), Just(crossed())],
        mutations in prop::collection::vec(mutation(), 1..6),
    ) {
        let text = mutations.iter().fold(base, |text, m| mutate(&text, m));
        match parse(&text) {
            Ok(spec) => prop_assert!(!spec.arms.is_empty() && !spec.seeds.is_empty()),
            Err(error) => {
                prop_assert!(error.to_string().starts_with(FILE));
                let lines = text.split('\n').count();
                prop_assert!(error.line().is_none_or(|line| (1..=lines).contains(&line)));
            }
        }
    }

    #[test]
    fn no_override_makes_the_reading_panic(
        key in "(data|model|train|seeds|probes)(\\.[a-z_]{1,10}){0,3}",
        value in "\\PC{0,12}",
    ) {
        if let Ok(set) = format!("{key}={value}").parse::<Override>()
            && let Err(error) = Spec::parse("x", Path::new(FILE), BASE, &[set])
        {
            prop_assert!(error.to_string().starts_with(FILE));
        }
    }
}
