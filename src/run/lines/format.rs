//! The text of a record: JSON in one line, whose last field is a checksum of the rest.

use super::check::check;
use crate::files::FileError;
use crate::record::CellRecord;
use sha2::{Digest, Sha256};
use std::borrow::Borrow;

/// Longest line in bytes, enough for about 50,000 epochs.
pub(super) const MAX_LINE: usize = 16 << 20;
/// Start of the last field of a line.
const FIELD: &[u8] = br#","checksum":""#;
/// Hexadecimal digits of a checksum: 64 bits of SHA-256.
const DIGITS: usize = 16;
/// End of a line after its checksum.
const END: &[u8] = b"\"}\n";

/// An error in reading or writing records.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A record is invalid.
    #[error("the record of cell `{id}` is invalid: {why}; please report this as a bug")]
    Record {
        /// The cell.
        id: String,
        /// The reason.
        why: String,
    },
}

/// Whether a line ends with a checksum, right or wrong.
pub(super) fn has_checksum(line: &[u8]) -> bool {
    split(line).is_some()
}

/// Splits a line into the part that the checksum covers, without its closing brace, and the checksum.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = line.strip_suffix(END)?;
    let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
    Some((rest.strip_suffix(FIELD)?, digits))
}

/// Checksum of a line, given the line without its last field and closing brace.
fn checksum(body: &[u8]) -> [u8; DIGITS] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digest = Sha256::new()
        .chain_update(body)
        .chain_update(b"}")
        .finalize();
    let mut digits = [0; DIGITS];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(digest) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    digits
}

/// The record of a line. Without a checksum only if the file is `unchecked`.
pub(super) fn decode(line: &[u8], unchecked: bool) -> Result<CellRecord, String> {
    if line.len() > MAX_LINE {
        return Err(format!("it is longer than {MAX_LINE} bytes"));
    }
    let record = match split(line) {
        Some((body, digits)) if checksum(body) == digits => record_of(body),
        Some(_) => return Err("its checksum does not match its content".to_owned()),
        None if unchecked => serde_json::from_slice(line),
        None => return Err("it has no checksum, but other lines of the file have one".to_owned()),
    };
    let record = record.map_err(|e| format!("it is not a record: {e}"))?;
    check(&record)?;
    Ok(record)
}

/// The record of a line with a checksum that was found to be right.
pub(super) fn record_of_intact(line: &[u8]) -> Option<CellRecord> {
    record_of(split(line)?.0).ok()
}

/// The record of a line without its last field and closing brace.
fn record_of(body: &[u8]) -> serde_json::Result<CellRecord> {
    serde_json::from_slice(&[body, b"}"].concat())
}

/// Formats `records` as lines.
pub(in crate::run) fn encode<R: Borrow<CellRecord>>(
    records: impl IntoIterator<Item = R>,
) -> Result<Vec<u8>, RecordError> {
    let mut bytes = Vec::new();
    for record in records {
        let record = record.borrow();
        line(record, &mut bytes).map_err(|why| RecordError::Record {
            id: record.id.clone(),
            why,
        })?;
    }
    Ok(bytes)
}

/// Appends the line of `record` to `bytes`.
pub(super) fn line(record: &CellRecord, bytes: &mut Vec<u8>) -> Result<(), String> {
    check(record)?;
    let start = bytes.len();
    serde_json::to_writer(&mut *bytes, record).map_err(|e| e.to_string())?;
    // Without the closing brace.
    bytes.pop();
    let digits = checksum(&bytes[start..]);
    for part in [FIELD, &digits, END] {
        bytes.extend_from_slice(part);
    }
    if bytes.len() - start > MAX_LINE {
        return Err(format!("its line is longer than {MAX_LINE} bytes"));
    }
    Ok(())
}
