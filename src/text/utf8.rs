//! Bytes as text, with the place of the first byte that is not UTF-8.

/// The text in `bytes`, without a byte order mark at its start.
///
/// # Errors
/// If they are not UTF-8. The message names UTF-16, or the place of the first wrong byte.
pub fn text(bytes: Vec<u8>) -> Result<String, String> {
    if let Some(order) = utf16(&bytes) {
        return Err(format!(
            "it is UTF-16 text ({order}, by its first bytes at offset 0), not UTF-8; save it as UTF-8"
        ));
    }
    let error = match String::from_utf8(bytes) {
        Ok(text) => {
            return Ok(match text.strip_prefix('\u{feff}') {
                Some(rest) => rest.to_owned(),
                None => text,
            });
        }
        Err(error) => error,
    };
    let at = error.utf8_error().valid_up_to();
    let bytes = error.as_bytes();
    let line = 1 + bytes[..at].iter().filter(|&&byte| byte == b'\n').count();
    Err(format!(
        "it is not UTF-8 text: byte 0x{:02x} at offset {at} (line {line})",
        bytes[at]
    ))
}

/// The byte order of UTF-16 text: by its mark, or because every other one of its first bytes is 0.
fn utf16(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, ..] => Some("little endian"),
        [0xfe, 0xff, ..] => Some("big endian"),
        [a, 0, b, 0, ..] if *a != 0 && *b != 0 => Some("little endian"),
        [0, a, 0, b, ..] if *a != 0 && *b != 0 => Some("big endian"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf16_is_recognized_with_and_without_mark() {
        let little: Vec<u8> = "title".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "title".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (mark, bytes, order) in [
            (&b"\xff\xfe"[..], &little, "little endian"),
            (b"\xfe\xff", &big, "big endian"),
            (b"", &little, "little endian"),
            (b"", &big, "big endian"),
        ] {
            let why = text([mark, bytes].concat()).unwrap_err();
            assert!(why.contains("UTF-16") && why.contains(order), "{why}");
        }
    }

    #[test]
    fn first_wrong_byte_is_named() {
        let why = text(b"a\nb\n\xe4x\xff".to_vec()).unwrap_err();
        assert_eq!(why, "it is not UTF-8 text: byte 0xe4 at offset 4 (line 3)");
        let cut = text(b"\xe2\x82".to_vec()).unwrap_err();
        assert!(cut.contains("0xe2 at offset 0"), "{cut}");
    }

    #[test]
    fn mark_of_utf8_is_removed() {
        assert_eq!(text(b"\xef\xbb\xbfa".to_vec()).unwrap(), "a");
        assert_eq!(
            text("é\u{1f600}".as_bytes().to_vec()).unwrap(),
            "é\u{1f600}"
        );
        assert_eq!(text(Vec::new()).unwrap(), "");
    }
}
