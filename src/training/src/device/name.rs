//! Parsing of device names.

use super::error::DeviceError;

/// A parsed device name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Flex,
    Ndarray,
    Wgpu(Choice),
    /// The CUDA device with this number.
    Cuda(usize),
}

/// Choice of a wgpu adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The adapter that wgpu prefers.
    Preferred,
    /// The adapter with this number.
    Number(usize),
    /// The adapter with this number among those of a kind.
    OfKind(Kind, usize),
}

/// Kind of a wgpu adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Discrete,
    Integrated,
    Virtual,
    Cpu,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Discrete, Self::Integrated, Self::Virtual, Self::Cpu];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Discrete => "discrete",
            Self::Integrated => "integrated",
            Self::Virtual => "virtual",
            Self::Cpu => "cpu",
        }
    }
}

impl Name {
    /// Parses `name`.
    pub(super) fn parse(name: &str) -> Result<Self, DeviceError> {
        let mut parts = name.split(':');
        let backend = parts.next().unwrap_or_default();
        let rest: Vec<&str> = parts.collect();
        let kind = |word: &str| Kind::ALL.into_iter().find(|kind| kind.word() == word);
        let found = match (backend, rest.as_slice()) {
            ("flex", []) => Some(Self::Flex),
            ("ndarray", []) => Some(Self::Ndarray),
            ("wgpu", []) => Some(Self::Wgpu(Choice::Preferred)),
            ("wgpu", [first]) => match kind(first) {
                Some(kind) => Some(Self::Wgpu(Choice::OfKind(kind, 0))),
                None => number(first).map(|n| Self::Wgpu(Choice::Number(n))),
            },
            ("wgpu", [word, n]) => {
                let choice = kind(word).zip(number(n));
                choice.map(|(kind, n)| Self::Wgpu(Choice::OfKind(kind, n)))
            }
            ("cuda", []) => Some(Self::Cuda(0)),
            ("cuda", [n]) => number(n).map(Self::Cuda),
            _ => None,
        };
        found.ok_or_else(|| DeviceError::Unknown(name.to_owned()))
    }

    /// The backend, which is also the name of its feature.
    pub(super) const fn backend(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Ndarray => "ndarray",
            Self::Wgpu(_) => "wgpu",
            Self::Cuda(_) => "cuda",
        }
    }

    /// Whether this program was built with the backend.
    pub(super) const fn is_built(self) -> bool {
        match self {
            Self::Flex => cfg!(feature = "flex"),
            Self::Ndarray => cfg!(feature = "ndarray"),
            Self::Wgpu(_) => cfg!(feature = "wgpu"),
            Self::Cuda(_) => cfg!(feature = "cuda"),
        }
    }
}

/// A number of at most three digits without leading zeros.
fn number(text: &str) -> Option<usize> {
    let plain = text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    let plain = plain && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_names_are_parsed() {
        for (name, wanted) in [
            ("flex", Name::Flex),
            ("ndarray", Name::Ndarray),
            ("wgpu", Name::Wgpu(Choice::Preferred)),
            ("wgpu:12", Name::Wgpu(Choice::Number(12))),
            (
                "wgpu:discrete",
                Name::Wgpu(Choice::OfKind(Kind::Discrete, 0)),
            ),
            (
                "wgpu:integrated:0",
                Name::Wgpu(Choice::OfKind(Kind::Integrated, 0)),
            ),
            (
                "wgpu:virtual:3",
                Name::Wgpu(Choice::OfKind(Kind::Virtual, 3)),
            ),
            ("wgpu:cpu", Name::Wgpu(Choice::OfKind(Kind::Cpu, 0))),
            ("cuda", Name::Cuda(0)),
            ("cuda:1", Name::Cuda(1)),
        ] {
            assert_eq!(Name::parse(name), Ok(wanted), "{name}");
        }
    }

    #[test]
    fn invalid_names_are_rejected() {
        for name in [
            "",
            "gpu",
            "Flex",
            "flex:0",
            "wgpu:",
            "wgpu:-1",
            "wgpu:00",
            "wgpu:01",
            "wgpu:+1",
            "wgpu:1000",
            "wgpu:18446744073709551616",
            "wgpu:0:0",
            "wgpu:cpu:",
            "wgpu:cpu:0:0",
            "wgpu:gpu",
            "wgpu: cpu",
            "cuda:cpu",
            "cuda:0:0",
            ":",
        ] {
            let error = DeviceError::Unknown(name.to_owned());
            assert_eq!(Name::parse(name), Err(error), "{name}");
        }
    }
}
