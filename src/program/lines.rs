//! Lines of an output of any length.

use std::io::{ErrorKind, Read};

/// Longest line; the rest of a longer one is left out.
pub(super) const LONGEST: usize = 1 << 20;
const BUFFER: usize = 64 << 10;

/// Calls `on_line` with each line of `input` until it ends. A carriage return ends a line, too, because
/// progress bars use it. Empty lines are left out.
pub(super) fn each_line(input: &mut impl Read, mut on_line: impl FnMut(&[u8])) {
    let mut buffer = vec![0; BUFFER];
    // The start of a line that continues in the next buffer.
    let mut begun: Vec<u8> = Vec::new();
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let mut pieces = buffer[..count]
            .split(|&byte| byte == b'\n' || byte == b'\r')
            .peekable();
        while let Some(piece) = pieces.next() {
            let is_whole = pieces.peek().is_some();
            if is_whole && begun.is_empty() {
                if !piece.is_empty() {
                    on_line(&piece[..piece.len().min(LONGEST)]);
                }
                continue;
            }
            let room = LONGEST - begun.len();
            begun.extend_from_slice(&piece[..piece.len().min(room)]);
            if is_whole {
                if !begun.is_empty() {
                    on_line(&begun);
                }
                begun.clear();
            }
        }
    }
    if !begun.is_empty() {
        on_line(&begun);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io;

    /// Gives `bytes` in pieces of at most `size`.
    struct InPieces<'a>(&'a [u8], usize);

    impl Read for InPieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.1.min(buffer.len());
            self.0
                .take(size as u64)
                .read(buffer)
                .inspect(|&n| self.0 = &self.0[n..])
        }
    }

    fn lines(bytes: &[u8], size: usize) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        each_line(&mut InPieces(bytes, size), |line| lines.push(line.to_vec()));
        lines
    }

    #[test]
    fn lines_end_at_newlines_and_carriage_returns() {
        let text = b"a\nbb\r\n10%\r20%\r\n\nlast";
        let expected: [&[u8]; 5] = [b"a", b"bb", b"10%", b"20%", b"last"];
        for size in [1, 2, 3, 100] {
            assert_eq!(lines(text, size), expected, "{size}");
        }
    }

    #[test]
    fn long_line_is_cut_and_the_next_is_whole() {
        let text = [vec![b'x'; 3 * LONGEST], b"\nnext\n".to_vec()].concat();
        let found = lines(&text, 10_000);
        assert_eq!((found[0].len(), &found[1][..]), (LONGEST, &b"next"[..]));
        assert_eq!(found.len(), 2);
    }

    proptest! {
        #[test]
        fn pieces_do_not_change_lines(text in "[a-c\n\r]{0,60}", size in 1usize..20) {
            prop_assert_eq!(lines(text.as_bytes(), size), lines(text.as_bytes(), 1000));
        }
    }
}
