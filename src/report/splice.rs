//! Insertion of generated text between the markers of a hand-written page.

/// A failure to find the place between two markers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpliceError {
    /// No opening marker.
    #[error("the page has no marker `{marker}`; add it where the generated text belongs")]
    Missing {
        /// The marker.
        marker: String,
    },
    /// A marker occurs more than once.
    #[error("the page has the marker `{marker}` {count} times; keep one of them")]
    Repeated {
        /// The marker.
        marker: String,
        /// Number of occurrences.
        count: usize,
    },
    /// The closing marker comes before the opening one.
    #[error("the marker `{close}` comes before `{open}`; swap them")]
    Reversed {
        /// Opening marker.
        open: String,
        /// Closing marker.
        close: String,
    },
    /// The marker of another block is between the two.
    #[error(
        "the marker `{inner}` is inside the block of `{open}`, which is replaced as a whole; move it out of the block"
    )]
    Nested {
        /// Opening marker of the block.
        open: String,
        /// The marker inside.
        inner: String,
    },
}

/// Replaces the text between `<!-- ablate:NAME -->` and `<!-- /ablate:NAME -->` in `page` by `text`.
/// Everything else stays unchanged, and a second call changes nothing.
///
/// # Errors
/// If a marker is missing, repeated or out of order, or the block contains the marker of another.
pub fn splice(page: &str, name: &str, text: &str) -> Result<String, SpliceError> {
    let open = format!("<!-- ablate:{name} -->");
    let close = format!("<!-- /ablate:{name} -->");
    let (from, to) = (
        find_once(page, &open)? + open.len(),
        find_once(page, &close)?,
    );
    let Some(inside) = page.get(from..to) else {
        return Err(SpliceError::Reversed { open, close });
    };
    for start in ["<!-- ablate:", "<!-- /ablate:"] {
        if let Some(at) = inside.find(start) {
            let rest = &inside[at..];
            let end = rest.find("-->").map_or(rest.len(), |e| e + 3);
            return Err(SpliceError::Nested {
                open,
                inner: rest[..end].to_owned(),
            });
        }
    }
    let line = if page.contains("\r\n") { "\r\n" } else { "\n" };
    let text = text.trim_matches('\n').replace('\n', line);
    Ok(format!(
        "{}{line}{line}{text}{line}{line}{}",
        &page[..from],
        &page[to..]
    ))
}

fn find_once(page: &str, marker: &str) -> Result<usize, SpliceError> {
    let marker = marker.to_owned();
    match page.match_indices(&marker).count() {
        1 => Ok(page.find(&marker).unwrap_or(0)),
        0 => Err(SpliceError::Missing { marker }),
        count => Err(SpliceError::Repeated { marker, count }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "top\n<!-- ablate:table -->\nold\n<!-- /ablate:table -->\nend\n";

    #[test]
    fn only_text_between_markers_is_replaced() {
        let once = splice(PAGE, "table", "| new |\n").unwrap();
        assert_eq!(
            once,
            "top\n<!-- ablate:table -->\n\n| new |\n\n<!-- /ablate:table -->\nend\n"
        );
        assert_eq!(
            splice(&once, "table", "| new |\n").unwrap(),
            once,
            "twice is once"
        );
    }

    #[test]
    fn line_endings_are_kept() {
        let page = PAGE.replace('\n', "\r\n");
        let spliced = splice(&page, "table", "a\nb").unwrap();
        assert!(spliced.contains("a\r\nb\r\n"));
        assert_eq!(
            spliced.matches('\n').count(),
            spliced.matches("\r\n").count()
        );
    }

    #[test]
    fn misplaced_markers_are_errors() {
        let error = |page: &str| splice(page, "table", "x").unwrap_err();
        let (open, close) = ("<!-- ablate:table -->", "<!-- /ablate:table -->");
        assert!(matches!(error("nothing"), SpliceError::Missing { .. }));
        assert!(matches!(error(open), SpliceError::Missing { marker } if marker == close));
        assert!(matches!(error(close), SpliceError::Missing { marker } if marker == open));
        let repeated = format!("{open}{close}{open}");
        assert!(matches!(
            error(&repeated),
            SpliceError::Repeated { count: 2, .. }
        ));
        let swapped = format!("{close}{open}");
        assert!(matches!(error(&swapped), SpliceError::Reversed { .. }));
        let nested = format!("{open}\n<!-- ablate:other -->\n{close}");
        assert!(
            matches!(error(&nested), SpliceError::Nested { inner, .. } if inner == "<!-- ablate:other -->")
        );
    }
}
