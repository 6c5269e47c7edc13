//! Loops over channels: several side by side, so that vectors are full and sums have enough chains.

/// The body of a loop over rows for `L` channels from `from` on.
pub(super) trait Strip {
    fn run<const L: usize>(&mut self, from: usize);
}

/// Runs `strip` for all of `width` channels.
#[inline(always)]
pub(super) fn strips(width: usize, strip: &mut impl Strip) {
    let mut from = 0;
    while width - from >= 32 {
        strip.run::<32>(from);
        from += 32;
    }
    while width - from >= 8 {
        strip.run::<8>(from);
        from += 8;
    }
    while from < width {
        strip.run::<1>(from);
        from += 1;
    }
}

/// Rows summed directly before they enter a sum of blocks, which keeps rounding errors small.
pub(super) const ROWS: usize = 64;

/// `sums` in, and `total`, plus `terms` of every row below `rows`, in blocks of [`ROWS`].
#[inline(always)]
pub(super) fn in_blocks<T: super::Real, const L: usize, const N: usize>(
    rows: usize,
    mut add: impl FnMut(usize, &mut [[T; L]; N]),
) -> [[T; L]; N] {
    let mut totals = [[T::ZERO; L]; N];
    let mut from = 0;
    while from < rows {
        let to = rows.min(from + ROWS);
        let mut sums = [[T::ZERO; L]; N];
        for row in from..to {
            add(row, &mut sums);
        }
        for (total, sum) in totals.iter_mut().zip(&sums) {
            for i in 0..L {
                total[i] += sum[i];
            }
        }
        from = to;
    }
    totals
}
