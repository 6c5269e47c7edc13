//! Damaged input for tests of readers: many small changes of a valid file, the same in every run.

use ablate_streams::{Purpose, Stream};

/// Pieces that, put anywhere, make almost-valid JSON.
const SCRAPS: [&[u8]; 14] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b",",
    b":",
    b"\n",
    b"null",
    b"1e999",
    b"-",
    b"\\u0000",
    b"\xff",
    b"18446744073709551616",
];

/// `count` versions of `good`, each with one to four changes. `name` makes them differ from those of others.
pub(crate) fn mutations<'g>(
    good: &'g [u8],
    count: usize,
    name: &str,
) -> impl Iterator<Item = Vec<u8>> + use<'g> {
    let mut draws = Stream::new(11, Purpose::Resample, name).uniforms(0);
    let mut draw = move |n: usize| (draws.next().expect("streams do not end") * n as f64) as usize;
    (0..count).map(move |_| {
        let mut bytes = good.to_vec();
        for _ in 0..1 + draw(4) {
            let at = draw(bytes.len() + 1).min(bytes.len());
            let end = (at + 1 + draw(40)).min(bytes.len());
            match draw(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << draw(8),
                1 if at < bytes.len() => bytes[at] = b'0' + draw(10) as u8,
                2 => drop(bytes.drain(at..end)),
                3 => drop(bytes.splice(at..at, SCRAPS[draw(SCRAPS.len())].iter().copied())),
                4 => {
                    let piece = bytes[at..end].to_vec();
                    let place = draw(bytes.len() + 1).min(bytes.len());
                    bytes.splice(place..place, piece);
                }
                _ => bytes.truncate(at),
            }
        }
        bytes
    })
}
