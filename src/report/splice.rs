//! Generated text between markers in a hand-written page.

/// Why text cannot be put between markers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpliceError {
    /// No opening marker.
    #[error("the page has no marker `{marker}`; put it where the generated text belongs")]
    Missing {
        /// The marker.
        marker: String,
    },
    /// One marker too many.
    #[error("the page has the marker `{marker}` {count} times; keep one")]
    Repeated {
        /// The marker.
        marker: String,
        /// How often it stands there.
        count: usize,
    },
    /// The closing marker stands before the opening one.
    #[error("the marker `{close}` stands before `{open}`; swap them")]
    Reversed {
        /// Opening marker.
        open: String,
        /// Closing marker.
        close: String,
    },
    /// Another block's marker stands between the two.
    #[error(
        "the marker `{inner}` stands inside the block of `{open}`, which is replaced as a whole; move it out"
    )]
    Nested {
        /// Opening marker of the block.
        open: String,
        /// The marker inside.
        inner: String,
    },
}

/// Replaces what stands between `<!-- ablate:NAME -->` and `<!-- /ablate:NAME -->` in `page` by
/// `text`. Doing it twice is doing it once; everything outside the markers stays as it is.
///
/// # Errors
/// If a marker is missing, repeated or out of order, or another block's marker stands inside.
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
    fn text_between_the_markers_is_replaced_and_nothing_else() {
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
    fn line_ends_of_the_page_are_kept() {
        let page = PAGE.replace('\n', "\r\n");
        let spliced = splice(&page, "table", "a\nb").unwrap();
        assert!(spliced.contains("a\r\nb\r\n"));
        assert_eq!(
            spliced.matches('\n').count(),
            spliced.matches("\r\n").count()
        );
    }

    #[test]
    fn markers_that_are_missing_repeated_swapped_or_nested_are_errors() {
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
