//! The largest absolute value of a slice.

use super::kernel::Kernel;
use super::real::Real;

/// The largest absolute value; NaN if any value is NaN, and 0 for an empty slice.
pub fn max_abs(values: &[f32]) -> f32 {
    let mut bits = 0;
    <f32 as Real>::run(MaxAbs {
        values,
        bits: &mut bits,
    });
    f32::from_bits(bits)
}

/// Without their sign, floats have the order of their bits, with NaN above infinity.
struct MaxAbs<'a> {
    values: &'a [f32],
    bits: &'a mut u32,
}

impl Kernel for MaxAbs<'_> {
    #[inline(always)]
    fn run(self) {
        const SIGN: u32 = 1 << 31;
        let most = self.values.iter().map(|value| value.to_bits() & !SIGN);
        *self.bits = most.fold(0, u32::max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_absolute_value_is_found_in_any_position() {
        for len in [1, 7, 16, 33, 100] {
            for at in 0..len {
                let mut values: Vec<f32> = (0..len).map(|i| (i as f32).sin()).collect();
                values[at] = -1.5;
                assert_eq!(max_abs(&values), 1.5);
                values[at] = f32::NEG_INFINITY;
                assert_eq!(max_abs(&values), f32::INFINITY);
                values[at] = f32::NAN;
                assert!(max_abs(&values).is_nan());
            }
        }
        assert_eq!(max_abs(&[]), 0.0);
        assert_eq!(max_abs(&[-0.0]), 0.0);
    }
}
