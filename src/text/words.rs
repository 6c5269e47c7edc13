//! Commands as text: split into words by the quoting rules of a shell, without running one.

/// Why a command cannot be split into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// A quote or a backslash at the end that is not closed.
    #[error("has no closing `{0}`")]
    Unclosed(char),
    /// A character that only a shell understands.
    #[error(
        "has `{0}`, which needs a shell, and there is none; quote it, or start one with `sh -c \"...\"`"
    )]
    Shell(char),
}

/// Characters that a shell acts on outside quotes.
const OPERATORS: &str = "|&;<>()$`";
/// Characters that a shell acts on inside double quotes.
const EXPANDED: &str = "$`";

/// The words of `command`. Single quotes keep everything; double quotes and backslashes work as in a POSIX
/// shell. Nothing is expanded: variables, redirections, pipes and `~` are errors unless they are quoted.
///
/// # Errors
/// If a quote is not closed, or a character would need a shell.
pub fn split(command: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_ascii_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err(WordsError::Unclosed('\'')),
                    }
                }
            }
            '"' => double_quoted(&mut chars, word.get_or_insert_default())?,
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(c) => word.get_or_insert_default().push(c),
                None => return Err(WordsError::Unclosed('\\')),
            },
            '~' if word.is_none() => return Err(WordsError::Shell('~')),
            c if OPERATORS.contains(c) => return Err(WordsError::Shell(c)),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn double_quoted(
    chars: &mut impl Iterator<Item = char>,
    word: &mut String,
) -> Result<(), WordsError> {
    loop {
        match chars.next() {
            Some('"') => return Ok(()),
            Some('\\') => match chars.next() {
                Some('\n') => {}
                Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                Some(c) => word.extend(['\\', c]),
                None => return Err(WordsError::Unclosed('"')),
            },
            Some(c) if EXPANDED.contains(c) => return Err(WordsError::Shell(c)),
            Some(c) => word.push(c),
            None => return Err(WordsError::Unclosed('"')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_and_backslashes_are_those_of_a_shell() {
        // Each as `printf '%s\n' COMMAND` prints it with dash.
        for (command, words) in [
            ("a  b\tc", vec!["a", "b", "c"]),
            (" --x='a b' ", vec!["--x=a b"]),
            (
                r#""a \"b\" \n" 'a\b' a\ b"#,
                vec![r#"a "b" \n"#, r"a\b", "a b"],
            ),
            (r#"'' "" x''y"#, vec!["", "", "xy"]),
            (
                "{seed} a#b [1,2] *.py",
                vec!["{seed}", "a#b", "[1,2]", "*.py"],
            ),
            ("'$HOME' \"a\\$b\" a~", vec!["$HOME", "a$b", "a~"]),
            ("a \\\n b", vec!["a", "b"]),
            ("", vec![]),
        ] {
            assert_eq!(split(command).unwrap(), words, "{command}");
        }
    }

    #[test]
    fn what_needs_a_shell_is_an_error() {
        for (command, c) in [
            ("a | b", '|'),
            ("a > b", '>'),
            ("a && b", '&'),
            ("a $B", '$'),
            ("a \"$B\"", '$'),
            ("a `b`", '`'),
            ("~/a", '~'),
        ] {
            assert_eq!(split(command), Err(WordsError::Shell(c)), "{command}");
        }
        for (command, quote) in [("a 'b", '\''), ("a \"b", '"'), ("a\\", '\\')] {
            assert_eq!(
                split(command),
                Err(WordsError::Unclosed(quote)),
                "{command}"
            );
        }
    }

    proptest! {
        #[test]
        fn single_quoted_words_are_kept(words in proptest::collection::vec("[^']{0,8}", 0..5)) {
            let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
            prop_assert_eq!(split(&quoted.join(" ")).unwrap(), words);
        }
    }
}
