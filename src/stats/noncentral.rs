//! The noncentral t distribution, and expectations over the estimated standard deviation.

use super::student::normal_cdf;
use statrs::function::gamma::ln_gamma;

/// Positive nodes and their weights of the eight-point Gauss-Legendre rule (Abramowitz and Stegun,
/// "Handbook of mathematical functions", 1964, table 25.4).
const GAUSS_LEGENDRE: [(f64, f64); 4] = [
    (0.183_434_642_495_649_8, 0.362_683_783_378_362),
    (0.525_532_409_916_329, 0.313_706_645_877_887_3),
    (0.796_666_477_413_626_7, 0.222_381_034_453_374_5),
    (0.960_289_856_497_536_2, 0.101_228_536_290_376_3),
];

/// Half the width of the integration range, in standard deviations of `S`. The probability outside
/// is below 1e-15.
const HALF_RANGE: f64 = 12.0;

/// `P(T <= t)` for the noncentral t distribution with `df` degrees of freedom and noncentrality
/// `shift`.
///
/// `T = (Z + shift) / S` with `Z` standard normal and `S^2` chi-square over `df`. The probability is
/// `E[Phi(t S - shift)]`, integrated numerically over `S`. Its absolute error is below 1e-10 up to
/// 10,000 degrees of freedom.
///
/// # Panics
/// If `df` is not positive and finite, or another argument is not finite.
pub fn noncentral_t_cdf(t: f64, df: f64, shift: f64) -> f64 {
    assert!(
        t.is_finite() && shift.is_finite(),
        "`t` and `shift` must be finite"
    );
    expected_normal_cdf(df, t, -shift).clamp(0.0, 1.0)
}

/// `E[Phi(slope S + offset)]` for `S = sqrt(chi2(df) / df)`.
pub(super) fn expected_normal_cdf(df: f64, slope: f64, offset: f64) -> f64 {
    let step = SmoothStep::of_normal_cdf(slope, offset);
    expectation(df, step.as_slice(), f64::INFINITY, |s| {
        normal_cdf(slope * s + offset)
    })
}

/// A region in which the integrand may change faster than the density of `S` does.
#[derive(Clone, Copy, Debug)]
pub(super) struct SmoothStep {
    center: f64,
    width: f64,
}

impl SmoothStep {
    /// The region in which `Phi(slope s + offset)` changes; `None` if it is constant.
    pub(super) fn of_normal_cdf(slope: f64, offset: f64) -> Option<Self> {
        (slope != 0.0).then(|| Self {
            center: -offset / slope,
            width: 1.0 / slope.abs(),
        })
    }

    /// Eight widths from the center, a normal distribution function is constant to 1e-15.
    fn ends(self) -> [f64; 2] {
        [
            self.center - 8.0 * self.width,
            self.center + 8.0 * self.width,
        ]
    }
}

/// `E[f(S); S < end]` for `S = sqrt(chi2(df) / df)`: the integral of `f` times the density of `S`.
///
/// Composite Gauss-Legendre rule. Its subintervals are at most 1.5 standard deviations of `S` wide
/// and, where one of `steps` is near, at most as wide as that step.
pub(super) fn expectation(df: f64, steps: &[SmoothStep], end: f64, f: impl Fn(f64) -> f64) -> f64 {
    assert!(
        df > 0.0 && df.is_finite(),
        "degrees of freedom must be positive and finite, not {df}"
    );
    let half = df / 2.0;
    let ln_factor = 2f64.ln() + half * half.ln() - ln_gamma(half);
    let weighted = |s: f64| (ln_factor + (df - 1.0) * s.ln() - half * s * s).exp() * f(s);
    let sd = 1.0 / (2.0 * df).sqrt();
    let (low, high) = (
        (1.0 - HALF_RANGE * sd).max(0.0),
        (1.0 + HALF_RANGE * sd).min(end),
    );
    if high <= low {
        return 0.0;
    }
    let mut cuts = vec![low, high];
    cuts.extend(
        steps
            .iter()
            .flat_map(|step| step.ends())
            .filter(|&s| low < s && s < high),
    );
    cuts.sort_unstable_by(f64::total_cmp);
    let segment = |pair: &[f64]| {
        let (a, b) = (pair[0], pair[1]);
        let near = |step: &&SmoothStep| ((a + b) / 2.0 - step.center).abs() <= 8.0 * step.width;
        let widths = steps.iter().filter(near).map(|step| step.width);
        let subintervals = ((b - a) / widths.fold(1.5 * sd, f64::min)).ceil().max(1.0);
        integrate(a, b, subintervals as usize, weighted)
    };
    cuts.windows(2).map(segment).sum()
}

fn integrate(a: f64, b: f64, subintervals: usize, f: impl Fn(f64) -> f64) -> f64 {
    let half = (b - a) / (2.0 * subintervals as f64);
    let subinterval = |i: usize| {
        let middle = a + (2 * i + 1) as f64 * half;
        let pair = |&(node, weight): &(f64, f64)| {
            weight * (f(middle - half * node) + f(middle + half * node))
        };
        half * GAUSS_LEGENDRE.iter().map(pair).sum::<f64>()
    };
    (0..subintervals).map(subinterval).sum()
}

#[cfg(test)]
mod tests {
    use super::super::student::t_upper_tail;
    use super::*;
    use std::f64::consts::PI;

    #[test]
    fn noncentral_t_matches_scipy() {
        // scipy.stats.nct.cdf(t, df, nc), scipy 1.17
        for (t, df, shift, expected) in [
            (0.5, 1.0, 1.0, 0.281_460_968_658_100_44),
            (2.262_157_162_798_205, 9.0, 3.0, 0.238_844_738_995_546_23),
            (-2.262_157_162_798_205, 9.0, 3.0, 1.359_421_870_649_564e-6),
            (63.66, 1.0, 2.0, 0.974_833_736_667_467),
            (2.0, 30.0, 2.0, 0.493_453_312_648_928_9),
            (3.0, 5.0, -1.0, 0.998_566_403_001_123),
            (1.98, 99.0, 2.5, 0.301_563_727_107_392),
        ] {
            let p = noncentral_t_cdf(t, df, shift);
            assert!((p - expected).abs() < 1e-10, "{t} {df} {shift}: {p}");
        }
    }

    #[test]
    fn zero_shift_is_students_t() {
        for df in [1.0, 2.0, 7.0, 60.0, 1e4] {
            for t in [-30.0, -2.0, -0.1, 0.0, 0.7, 4.0, 300.0] {
                let p = noncentral_t_cdf(t, df, 0.0);
                assert!(
                    (p - (1.0 - t_upper_tail(t, df))).abs() < 1e-10,
                    "{t} {df}: {p}"
                );
            }
        }
    }

    #[test]
    fn value_at_zero_is_normal_in_the_shift() {
        for shift in [-3.0, 0.2, 5.0] {
            assert!((noncentral_t_cdf(0.0, 4.0, shift) - normal_cdf(-shift)).abs() < 1e-12);
        }
    }

    #[test]
    fn moments_of_the_scale_match_closed_forms() {
        for df in [1.0, 2.0, 9.0, 500.0] {
            let moment = |k| expectation(df, &[], f64::INFINITY, |s: f64| s.powi(k));
            assert!((moment(0) - 1.0).abs() < 1e-12, "{df}");
            assert!((moment(2) - 1.0).abs() < 1e-12, "{df}");
            assert!((moment(4) - (1.0 + 2.0 / df)).abs() < 1e-11, "{df}");
        }
        // Mean of the half-normal distribution.
        let mean = expectation(1.0, &[], f64::INFINITY, |s| s);
        assert!((mean - (2.0 / PI).sqrt()).abs() < 1e-12);
    }
}
