//! The test images that a trained net misclassifies, as compact text.
//!
//! The text lists the indices in ascending order: the first index, then for each further one the number
//! of images between it and the one before. Each number is written in digits of 5 bits, the lowest
//! first. A digit is a character of the base64 alphabet, whose sixth bit says that another digit
//! follows, as in source maps. Equal lists have equal texts. A list of 200 among 10,000 images takes
//! about 300 characters.

use serde::{Deserialize, Serialize};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Bits of a number per digit.
const BITS: u32 = 5;
/// Bit of a digit that another one follows.
const MORE: u32 = 1 << BITS;

/// Misclassified test images of one net.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct Misclassified {
    tested: u32,
    file: u32,
    indices: Vec<u32>,
}

/// The form in a record.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    tested: u32,
    file: u32,
    indices: String,
}

impl Misclassified {
    /// The images with the given `indices` among `tested` test images of a file with `file` images.
    /// Indices are positions in the file, ascending.
    ///
    /// # Errors
    /// If there are no test images, more than in the file, or fewer than indices, or if the indices do
    /// not ascend or exceed the file.
    pub fn new(tested: u32, file: u32, indices: Vec<u32>) -> Result<Self, String> {
        if tested == 0 || tested > file {
            return Err(format!("{tested} test images of a file with {file}"));
        }
        if indices.len() > tested as usize {
            let n = indices.len();
            return Err(format!("{n} misclassified images of {tested}"));
        }
        if !indices.is_sorted_by(|a, b| a < b) {
            return Err("the indices of misclassified images do not ascend".to_owned());
        }
        match indices.last() {
            Some(last) if *last >= file => Err(format!(
                "misclassified image {last} in a file with {file} images"
            )),
            _ => Ok(Self {
                tested,
                file,
                indices,
            }),
        }
    }

    /// Number of test images.
    pub const fn tested(&self) -> u32 {
        self.tested
    }

    /// Number of images in the file that the test images are from: the test file, or the training file
    /// if the net was tested on a fold of it.
    pub const fn file(&self) -> u32 {
        self.file
    }

    /// Positions of the misclassified images in the file, ascending.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }

    /// Accuracy in percent.
    pub fn accuracy(&self) -> f64 {
        let correct = self.tested as usize - self.indices.len();
        100.0 * correct as f64 / f64::from(self.tested)
    }
}

impl From<Misclassified> for Text {
    fn from(list: Misclassified) -> Self {
        Self {
            tested: list.tested,
            file: list.file,
            indices: encode(&list.indices),
        }
    }
}

impl TryFrom<Text> for Misclassified {
    type Error = String;

    fn try_from(text: Text) -> Result<Self, String> {
        Self::new(text.tested, text.file, decode(&text.indices)?)
    }
}

/// The text of ascending `indices`.
fn encode(indices: &[u32]) -> String {
    let mut text = String::with_capacity(2 * indices.len());
    let mut next = 0;
    for &index in indices {
        let mut number = index - next;
        while number >= MORE {
            text.push(digit(number % MORE + MORE));
            number >>= BITS;
        }
        text.push(digit(number));
        next = index + 1;
    }
    text
}

fn digit(value: u32) -> char {
    char::from(ALPHABET[value as usize])
}

/// The ascending indices of a text of [`encode`].
fn decode(text: &str) -> Result<Vec<u32>, String> {
    let mut indices = Vec::with_capacity(text.len());
    let (mut next, mut number, mut shift) = (0u64, 0u64, 0);
    for byte in text.bytes() {
        let Some(value) = ALPHABET.iter().position(|&known| known == byte) else {
            let found = char::from(byte).escape_default();
            return Err(format!("`{found}` in a list of misclassified images"));
        };
        let (value, more) = (value as u64 % u64::from(MORE), value as u32 >= MORE);
        number |= value << shift;
        if !more && shift > 0 && value == 0 {
            return Err("a number with a needless digit in a list of images".to_owned());
        }
        shift += BITS;
        if more && shift >= u32::BITS + BITS {
            return Err("a number of too many digits in a list of images".to_owned());
        }
        if !more {
            let index = next + number;
            match u32::try_from(index) {
                Ok(index) if index < u32::MAX => indices.push(index),
                _ => return Err("an index beyond 32 bits in a list of images".to_owned()),
            }
            (next, number, shift) = (index + 1, 0, 0);
        }
    }
    match shift {
        0 => Ok(indices),
        _ => Err("a list of misclassified images ends within a number".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn list(tested: u32, file: u32, indices: &[u32]) -> Result<Misclassified, String> {
        Misclassified::new(tested, file, indices.to_vec())
    }

    #[test]
    fn text_has_the_documented_digits() {
        // 0; then 30 between; then 32 = 1 * 32 + 0 between; then 1000 = 31 * 32 + 8 between.
        let list = list(359, 1797, &[0, 31, 64, 1065]).unwrap();
        let text = serde_json::to_string(&list).unwrap();
        assert_eq!(text, r#"{"tested":359,"file":1797,"indices":"AegBof"}"#);
        assert_eq!(serde_json::from_str::<Misclassified>(&text).unwrap(), list);
        assert!((list.accuracy() - 100.0 * 355.0 / 359.0).abs() < 1e-12);
    }

    #[test]
    fn impossible_lists_are_rejected() {
        for (tested, file, indices) in [
            (0, 10, &[][..]),
            (11, 10, &[]),
            (1, 10, &[3, 4]),
            (5, 10, &[4, 4]),
            (5, 10, &[5, 4]),
            (5, 10, &[10]),
        ] {
            assert!(list(tested, file, indices).is_err(), "{tested} {indices:?}");
        }
        assert!(list(10, 10, &[0, 9]).is_ok());
    }

    #[test]
    fn malformed_texts_are_rejected() {
        // A foreign character, an unfinished number, a needless zero digit, numbers beyond 32 bits.
        for text in [
            "A A",
            "é",
            "g",
            "gA",
            "////////",
            "///////f",
            "+/////D+/////D",
        ] {
            assert!(decode(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn lists_survive_and_equal_lists_have_equal_texts(
            indices in prop::collection::btree_set(0..u32::MAX, 0..60),
            dense in prop::collection::btree_set(0..300u32, 0..200),
        ) {
            for set in [indices, dense] {
                let list: Vec<u32> = set.into_iter().collect();
                prop_assert_eq!(decode(&encode(&list)).unwrap(), list);
            }
        }

        #[test]
        fn every_accepted_text_is_the_text_of_its_list(text in "[A-Za-z0-9+/]{0,12}") {
            if let Ok(indices) = decode(&text) {
                prop_assert!(indices.is_sorted_by(|a, b| a < b));
                prop_assert_eq!(encode(&indices), text);
            }
        }

        #[test]
        fn arbitrary_texts_do_not_panic(text in any::<String>()) {
            let _ = decode(&text);
        }

        #[test]
        fn lists_take_about_a_byte_per_image(seed in any::<u64>()) {
            let stream = ablate_streams::Stream::new(seed, ablate_streams::Purpose::Resample, "");
            let all = stream.permutation(0, 10_000);
            let wrong: BTreeSet<u32> = all[..300].iter().copied().collect();
            let text = encode(&wrong.into_iter().collect::<Vec<u32>>());
            prop_assert!(text.len() < 2 * 300, "{}", text.len());
        }
    }
}
