//! Which vector instructions the CPU kernels use.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

/// Instruction sets that the CPU kernels are compiled for, narrowest first.
///
/// AVX2 and AVX-512 give the same bits: every sum has one order. Without vectors, multiply-adds round
/// twice, and results are the same to rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstructionSet {
    /// One value at a time.
    Scalar,
    /// Vectors of 256 bits and multiply-adds on x86-64.
    Avx2,
    /// Vectors of 512 bits on x86-64.
    Avx512,
    /// The vectors of another architecture, such as NEON.
    Native,
}

/// The current set, as an index of [`InstructionSet::ALL`]; [`UNDETERMINED`] before its first use.
static CURRENT: AtomicU8 = AtomicU8::new(UNDETERMINED);

const UNDETERMINED: u8 = u8::MAX;

impl InstructionSet {
    const ALL: [Self; 4] = [Self::Scalar, Self::Avx2, Self::Avx512, Self::Native];

    /// The widest set of this CPU.
    pub fn widest() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            match (
                pulp::x86::V4::try_new().is_some(),
                pulp::x86::V3::try_new().is_some(),
            ) {
                (true, _) => Self::Avx512,
                (false, true) => Self::Avx2,
                (false, false) => Self::Scalar,
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Self::Native
    }

    /// The set that kernels use: the widest of this CPU, or the one of [`Self::limit`].
    pub fn current() -> Self {
        match CURRENT.load(Ordering::Relaxed) {
            UNDETERMINED => {
                let widest = Self::widest();
                CURRENT.store(widest as u8, Ordering::Relaxed);
                widest
            }
            index => Self::ALL[usize::from(index)],
        }
    }

    /// Has kernels of this process use no wider set.
    ///
    /// # Errors
    /// If this CPU does not have the set.
    pub fn limit(self) -> Result<(), Unavailable> {
        let is_available = match self {
            Self::Scalar => true,
            set => {
                set <= Self::widest() && (set == Self::Native) == (Self::widest() == Self::Native)
            }
        };
        if !is_available {
            return Err(Unavailable(self));
        }
        CURRENT.store(self as u8, Ordering::Relaxed);
        Ok(())
    }

    /// The name used in options and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Native => "native",
        }
    }
}

impl fmt::Display for InstructionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for InstructionSet {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let set = Self::ALL.into_iter().find(|set| set.name() == name);
        set.ok_or_else(|| {
            format!("unknown instruction set `{name}`; use `scalar`, `avx2`, `avx512` or `native`")
        })
    }
}

/// The CPU does not have the instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable(pub InstructionSet);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = InstructionSet::widest();
        write!(
            f,
            "this CPU has no {}; its widest instruction set is {widest}",
            self.0
        )
    }
}

impl std::error::Error for Unavailable {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_and_unknown_ones_rejected() {
        for set in InstructionSet::ALL {
            assert_eq!(set.name().parse(), Ok(set));
        }
        assert!("sse".parse::<InstructionSet>().is_err());
    }

    #[test]
    fn sets_of_other_cpus_are_rejected() {
        let other = match InstructionSet::widest() {
            InstructionSet::Native => InstructionSet::Avx2,
            _ => InstructionSet::Native,
        };
        assert_eq!(other.limit(), Err(Unavailable(other)));
        assert!(
            Unavailable(other)
                .to_string()
                .starts_with("this CPU has no ")
        );
    }
}
