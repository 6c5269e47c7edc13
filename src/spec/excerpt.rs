//! All mistakes of a spec as text, each with its line of the file.

use crate::spec::files::read_text;
use crate::spec::{Mistake, SpecError};
use crate::text::counted;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Mistakes that are shown.
const SHOWN: usize = 20;

/// Longest line of a file that is shown, in characters.
const LONGEST: usize = 160;

impl SpecError {
    /// All mistakes, each with its line of the file and a mark under its key. A single message if the file
    /// cannot be read.
    pub fn report(&self) -> String {
        let mistakes = self.mistakes();
        let mut files = Files::default();
        let mut blocks: Vec<String> = (mistakes.iter().take(SHOWN))
            .map(|mistake| block(mistake, &mut files))
            .collect();
        if mistakes.is_empty() {
            return self.to_string();
        }
        if let Some(other) = mistakes.iter().find(|mistake| mistake.file != self.file()) {
            let (own, other) = (self.file().display(), other.file.display());
            blocks.push(format!("`{own}` extends `{other}`"));
        }
        let count = counted(mistakes.len(), "mistake");
        match mistakes.len() {
            1 => {}
            n if n > SHOWN => blocks.push(format!("and {} more: {count}", n - SHOWN)),
            _ => blocks.push(count),
        }
        blocks.join("\n\n")
    }
}

/// The lines of files that were read.
#[derive(Default)]
struct Files(HashMap<PathBuf, Vec<String>>);

impl Files {
    /// Line `number` of `file`, from 1.
    fn line(&mut self, file: &Path, number: usize) -> Option<&str> {
        let lines = self.0.entry(file.to_owned()).or_insert_with(|| {
            let text = read_text(file).unwrap_or_default();
            text.lines().map(str::to_owned).collect()
        });
        lines.get(number.checked_sub(1)?).map(String::as_str)
    }
}

fn block(mistake: &Mistake, files: &mut Files) -> String {
    let file = mistake.file.display();
    let Some(number) = mistake.line else {
        return format!("{file}: {}", mistake.message);
    };
    let head = format!("{file}:{number}: {}", mistake.message);
    let Some(line) = files.line(&mistake.file, number) else {
        return head;
    };
    let line = line.trim_end().replace('\t', " ");
    if line.chars().count() > LONGEST {
        return head;
    }
    let (start, width) = marked(&line, &mistake.key);
    let gutter = " ".repeat(number.to_string().len());
    let mark = format!("{}{}", " ".repeat(start), "^".repeat(width));
    format!("{head}\n {gutter} |\n {number} | {line}\n {gutter} | {mark}")
}

/// First column and width of the mark: the key where `line` has it, else everything that is written there.
fn marked(line: &str, key: &str) -> (usize, usize) {
    let found = names(key).find_map(|name| Some((find(line, name)?, name)));
    let (start, text) = found.unwrap_or_else(|| {
        let text = line.trim_start();
        (line.len() - text.len(), text)
    });
    (line[..start].chars().count(), text.chars().count().max(1))
}

/// The names in a dotted key, from the last to the first, without indices.
fn names(key: &str) -> impl Iterator<Item = &str> {
    let parts = key.rsplit('.');
    parts.map(|part| part.split('[').next().unwrap_or(part).trim_matches('"'))
}

/// Where `name` stands in `line` as a whole word.
fn find(line: &str, name: &str) -> Option<usize> {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let whole = |&(at, _): &(usize, &str)| {
        let before = line[..at].chars().next_back();
        let after = line[at + name.len()..].chars().next();
        !name.is_empty() && !before.is_some_and(word) && !after.is_some_and(word)
    };
    line.match_indices(name).find(whole).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn marks(line: &str, key: &str, expected: &str) {
        let (start, width) = marked(line, key);
        let mark: String = line.chars().skip(start).take(width).collect();
        assert_eq!(mark, expected, "{line} / {key}");
    }

    #[test]
    fn key_is_marked_in_every_form_of_toml() {
        marks("epoch = 5", "train.epoch", "epoch");
        marks(
            "set.model.block.bias = 3",
            "arms[a].set.model.block.bias",
            "bias",
        );
        marks("[arms.set.train]", "arms[a].set.train", "train");
        marks("[[arms]]", "arms[a].name", "arms");
        marks("hidden = [1, 2.5]", "model.hidden[1]", "hidden");
        marks(
            "norm = { kind = \"bach\" }",
            "model.block.norm.kind",
            "kind",
        );
    }

    #[test]
    fn line_without_the_key_is_marked_as_a_whole() {
        marks("    2.5,", "model.hidden[1]", "2.5,");
        marks("subkey = 1", "key", "subkey = 1");
    }
}
