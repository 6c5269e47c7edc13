//! Rows of one CSV file.

use super::records::Records;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Largest number of values of a file: 4 GiB in memory.
const MAX_VALUES: usize = 1 << 30;

/// More classes than any data set may have: the wrong column was named.
const MANY_CLASSES: usize = 4096;

/// The content of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    /// Names of the columns of numbers.
    pub(super) columns: Vec<String>,
    /// The numbers, row by row.
    pub(super) values: Vec<f32>,
    /// The classes, in the order in which they first occur.
    pub(super) classes: Vec<String>,
    /// The class of each row, as an index of `classes`.
    pub(super) labels: Vec<usize>,
}

/// Reads the file `path`, whose column `label` holds the classes.
///
/// # Errors
/// If it cannot be read, or has a defect; the error names the file, the line and the column.
pub(super) fn read(path: &Path, label: &str) -> Result<Rows, String> {
    let file = File::open(path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    rows(file, label).map_err(|why| format!("`{}`{why}", path.display()))
}

/// [`read`] for the bytes of a file. An error continues a sentence that starts with the file's name.
fn rows(bytes: impl Read, label: &str) -> Result<Rows, String> {
    let failed = |error| format!(": {error}");
    let mut records = Records::new(bytes).map_err(failed)?;
    let header: Vec<String> = match records.read().map_err(failed)? {
        Some(_) => (records.fields()?.into_iter()).map(str::to_owned).collect(),
        None => Vec::new(),
    };
    let at = label_column(&header, label)?;
    let columns = header.iter().enumerate().filter(|(i, _)| *i != at);
    let mut rows = Rows {
        columns: columns.map(|(_, name)| name.clone()).collect(),
        ..Rows::default()
    };
    if rows.columns.is_empty() {
        return Err(format!(" has no column beside `{label}`"));
    }
    let mut known: HashMap<String, usize> = HashMap::new();
    while let Some(line) = records.read().map_err(failed)? {
        let fields = records.fields()?;
        if fields.len() != header.len() {
            let (found, wanted) = (fields.len(), header.len());
            return Err(format!(
                ", line {line}: has {found} fields, but the first line has {wanted}"
            ));
        }
        for (i, text) in fields.into_iter().enumerate() {
            let wrong = |what: &str| format!(", line {line}, column `{}`: {what}", &header[i]);
            if text.is_empty() {
                return Err(wrong("is empty"));
            }
            if i == at {
                let next = known.len();
                let class = match known.get(text) {
                    Some(&class) => class,
                    None => {
                        known.insert(text.to_owned(), next);
                        rows.classes.push(text.to_owned());
                        next
                    }
                };
                rows.labels.push(class);
                continue;
            }
            let value: f32 =
                (text.parse()).map_err(|_| wrong(&format!("`{text}` is not a number")))?;
            if !value.is_finite() {
                return Err(wrong(&format!(
                    "`{text}` is not a finite number of single precision"
                )));
            }
            rows.values.push(value);
        }
        if rows.classes.len() > MANY_CLASSES {
            return Err(format!(
                ", column `{label}`: has more than {MANY_CLASSES} different values; set `data.label` to the \
                 column of the classes"
            ));
        }
        if rows.values.len() > MAX_VALUES {
            return Err(format!(" has more than {MAX_VALUES} values"));
        }
    }
    match rows.labels.is_empty() {
        true => Err(" has no rows".to_owned()),
        false => Ok(rows),
    }
}

/// The place of the column `label` in the header, all of whose names must differ.
fn label_column(header: &[String], label: &str) -> Result<usize, String> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (i, name) in header.iter().enumerate() {
        if let Some(first) = places.insert(name, i) {
            return Err(format!(
                ", line 1: columns {} and {} are both called `{name}`",
                first + 1,
                i + 1
            ));
        }
    }
    if header.is_empty() {
        return Err(" is empty".to_owned());
    }
    places.get(label).copied().ok_or_else(|| {
        const SHOWN: usize = 8;
        let names: Vec<String> = header.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
        let more = if header.len() > SHOWN { ", ..." } else { "" };
        format!(
            ", line 1: there is no column `{label}`; set `data.label` to the column of the classes, one of \
             {}{more}",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        rows(text.as_bytes(), "label").unwrap_err()
    }

    #[test]
    fn rows_have_numbers_and_classes() {
        for text in [
            "a,label,b\n1,x,2.5\n-3e1,y,0\n0.1,x,7\n",
            "\u{feff}a;label;b\r\n1; x ;2.5\r\n-3e1;\"y\";0\r\n\r\n0.1;x;7",
        ] {
            let found = rows(text.as_bytes(), "label").unwrap();
            assert_eq!(found.columns, ["a", "b"]);
            assert_eq!(found.values, [1.0, 2.5, -30.0, 0.0, 0.1, 7.0]);
            assert_eq!(
                (found.labels, found.classes),
                (vec![0, 1, 0], vec!["x".to_owned(), "y".to_owned()])
            );
        }
    }

    #[test]
    fn defects_name_line_and_column() {
        for (text, message) in [
            ("a,label\n1,x\n,y\n", ", line 3, column `a`: is empty"),
            ("a,label\n1,\n", ", line 2, column `label`: is empty"),
            (
                "a,label\nz,x\n",
                ", line 2, column `a`: `z` is not a number",
            ),
            (
                "a,label\nNaN,x\n",
                ", line 2, column `a`: `NaN` is not a finite number of single precision",
            ),
            (
                "a,label\n-inf,x\n",
                ", line 2, column `a`: `-inf` is not a finite number of single precision",
            ),
            (
                "a,label\n1e39,x\n",
                ", line 2, column `a`: `1e39` is not a finite number of single precision",
            ),
            (
                "a,label\n1,x\n1,x,2\n",
                ", line 3: has 3 fields, but the first line has 2",
            ),
            (
                "a,label\r\n\r\n1,x\r\n\r\nb,x",
                ", line 5, column `a`: `b` is not a number",
            ),
            (
                "a,label\n1,\"x\ny\"\nb,x",
                ", line 4, column `a`: `b` is not a number",
            ),
            ("a,label\n", " has no rows"),
            ("label\nx\n", " has no column beside `label`"),
            (
                "a,a,label\n1,1,x\n",
                ", line 1: columns 1 and 2 are both called `a`",
            ),
            (
                "a,class\n1,x\n",
                ", line 1: there is no column `label`; set `data.label` to the column of the classes, one of \
                 `a`, `class`",
            ),
        ] {
            assert_eq!(error(text), message);
        }
        let latin1 = rows(&b"a,label\n1,\xe9\n"[..], "label").unwrap_err();
        assert_eq!(latin1, ", line 2: is not UTF-8 text");
        assert_eq!(error(""), " is empty");
    }

    #[test]
    fn column_of_too_many_classes_is_refused() {
        let lines: String = (0..5000).map(|i| format!("{i},{i}\n")).collect();
        let message = error(&format!("a,label\n{lines}"));
        assert!(
            message.contains("more than 4096 different values"),
            "{message}"
        );
    }

    proptest! {
        #[test]
        fn any_text_gives_rows_or_an_error(text in "[a-c0-9,;\"\\n\\t. -]{0,80}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let text = format!("a,label\n{text}");
            if let Ok(rows) = rows(text.as_bytes(), "label") {
                prop_assert!(rows.values.len() <= text.len());
                prop_assert_eq!(rows.values.len(), rows.labels.len() * rows.columns.len());
            }
            let _ = rows(&bytes[..], "label");
        }
    }
}
