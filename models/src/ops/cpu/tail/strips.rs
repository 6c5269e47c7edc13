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

/// Sums over rows in blocks of [`ROWS`]: runs `$body` for every `$row` below `$rows`, which adds to
/// the arrays `$sums`; gives the totals.
///
/// Loops here are macros, not functions of closures: what is not inlined is not compiled for the
/// machine's vectors, and no attribute makes closures inline.
macro_rules! in_blocks {
    ($rows:expr, |$row:ident, $sums:ident: [[$t:ty; $l:expr]; $n:expr]| $body:block) => {{
        let rows = $rows;
        let mut totals = [[<$t>::ZERO; $l]; $n];
        let mut from = 0;
        while from < rows {
            let to = rows.min(from + $crate::ops::cpu::tail::strips::ROWS);
            let mut $sums = [[<$t>::ZERO; $l]; $n];
            for $row in from..to $body
            for k in 0..$n {
                for i in 0..$l {
                    totals[k][i] += $sums[k][i];
                }
            }
            from = to;
        }
        totals
    }};
}

pub(super) use in_blocks;
