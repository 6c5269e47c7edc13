//! A bound on the nesting of TOML text, checked before it is parsed.
//!
//! The parser and the drop of its tree recurse, so deeply nested text would overflow the stack.

/// The byte offset at which a statement of `text` is nested deeper than `max` levels, if any. Each open
/// bracket, open brace and dot of a key is a level; strings and comments do not count. The table header
/// above a statement does not count either, so values are at most `2 * max + 1` levels deep.
pub(in crate::spec) fn exceeds(text: &str, max: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    // The dots since the last separator: at the top level, then in each open bracket.
    let mut dots = vec![0];
    let mut all_dots = 0;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'#' => {
                at = end_of_line(bytes, at);
                continue;
            }
            b'"' | b'\'' => {
                at = end_of_string(bytes, at);
                continue;
            }
            b'[' | b'{' => dots.push(0),
            b']' | b'}' if dots.len() > 1 => all_dots -= dots.pop()?,
            b'.' => {
                *dots.last_mut()? += 1;
                all_dots += 1;
            }
            b',' | b'\n' => all_dots -= std::mem::take(dots.last_mut()?),
            _ => {}
        }
        if dots.len() - 1 + all_dots > max {
            return Some(at);
        }
        at += 1;
    }
    None
}

fn end_of_line(bytes: &[u8], from: usize) -> usize {
    let length = bytes[from..].iter().position(|&byte| byte == b'\n');
    length.map_or(bytes.len(), |length| from + length)
}

/// The offset after the string that starts at `from`; the end of the line if it is not closed.
fn end_of_string(bytes: &[u8], from: usize) -> usize {
    let quote = bytes[from];
    let triple = [quote; 3];
    let multiline = bytes[from..].starts_with(&triple);
    let mut at = from + if multiline { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\n' if !multiline => return at,
            // A newline is not skipped: it ends a string on one line even after a backslash.
            b'\\' if quote == b'"' && bytes.get(at + 1) != Some(&b'\n') => at += 1,
            _ if multiline && bytes[at..].starts_with(&triple) => {
                // Up to two quotes may stand directly before the closing three.
                let quotes = bytes[at..].iter().take_while(|&&byte| byte == quote);
                return at + quotes.take(5).count();
            }
            byte if byte == quote && !multiline => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse::node::Node;

    #[test]
    fn brackets_and_dots_count() {
        for text in ["a = [[[1]]]", "a = {b = {c.d = 1}}", "a.b.c.d = 1"] {
            assert_eq!(exceeds(text, 3), None, "{text}");
            assert!(exceeds(text, 2).is_some(), "{text}");
        }
        assert_eq!(exceeds("a = 1\nb = [[[1]]]", 2), Some(12));
    }

    #[test]
    fn strings_and_comments_do_not_count() {
        for text in [
            r#"a = "[[[\"[[[""#,
            r"a = '[[[\'",
            "# [[[",
            "a = \"\"\"[[[\n[[[\"\"\"\"\"",
            "a = '''[[['[[['''",
        ] {
            assert_eq!(exceeds(text, 1), None, "{text}");
        }
        assert!(exceeds("a = \"\"\"x\"\"\"\nb = [[1]]", 1).is_some());
        assert!(exceeds("a = \"\\\nb = [[1]]", 1).is_some());
    }

    #[test]
    fn siblings_do_not_add_up() {
        let text = "a = [[1.5], [2.5], [3]]\n[b]\nc = 1.5\n[d]\ne = 1.5\n".repeat(20);
        assert_eq!(exceeds(&text, 3), None);
    }

    /// Threads of Rust have 2 MiB of stack by default.
    #[test]
    fn any_depth_is_rejected_on_a_small_stack() {
        let check = || {
            let count = 100_000;
            for text in [
                format!("a = {}", "[".repeat(count)),
                format!("a = {}1", "{a = ".repeat(count)),
                format!("{} = 1", vec!["a"; count].join(".")),
                format!("[{}]", vec!["a"; count].join(".")),
            ] {
                let error = format!("{:?}", Node::document(&text).unwrap_err());
                assert!(error.contains("nested deeper"), "{error}");
            }
            // The deepest text that reaches the parser.
            let most = vec!["a"; 32].join(".");
            let text = format!("[{most}]\n{most} = 1");
            assert!(Node::document(&text).is_err());
            let text = format!("[{most}]\na = {}{}", "[".repeat(32), "]".repeat(32));
            assert!(Node::document(&text).is_err());
        };
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        thread.spawn(check).unwrap().join().unwrap();
    }
}
