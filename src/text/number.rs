//! Numbers as people read them: rounded by their uncertainty, with a true minus sign.

use crate::stats::Interval;

/// Most decimals ever shown.
const MOST_DECIMALS: i32 = 6;
/// [`compact`] writes smaller numbers as `1.2 × 10⁻⁷`.
const SMALL: f64 = 1e-4;
/// [`compact`] writes numbers from this on as `1.2 × 10⁷`.
const LARGE: f64 = 1e6;
/// Whole numbers from this on have a comma between groups of three digits.
const GROUPED: u64 = 10_000;

/// `x` with `decimals` decimals; never a negative zero.
pub fn fixed(x: f64, decimals: usize) -> String {
    let text = format!("{x:.decimals$}");
    let zero = !text.chars().any(|c| ('1'..='9').contains(&c));
    if zero {
        text.trim_start_matches('-').to_owned()
    } else {
        text.replace('-', "\u{2212}")
    }
}

/// `x` with its sign, a plus included.
pub fn signed(x: f64, decimals: usize) -> String {
    let text = fixed(x, decimals);
    let zero = !text.chars().any(|c| ('1'..='9').contains(&c));
    if zero || x < 0.0 {
        text
    } else {
        format!("+{text}")
    }
}

/// Decimals that show two significant digits of a standard deviation; `otherwise` without one, or if it
/// is 0.
pub fn decimals(sd: Option<f64>, otherwise: usize) -> usize {
    let Some(sd) = sd.filter(|sd| *sd > 0.0 && sd.is_finite()) else {
        return otherwise;
    };
    (1 - exponent(sd)).clamp(0, MOST_DECIMALS) as usize
}

/// The decimal exponent of `x` after rounding to two digits, so that 0.0997 counts as 0.10.
fn exponent(x: f64) -> i32 {
    exponent_of(&format!("{x:.1e}"))
}

/// The exponent of a number written as `1.2e-7`.
fn exponent_of(text: &str) -> i32 {
    let parts = text.split_once('e');
    parts.and_then(|(_, e)| e.parse().ok()).unwrap_or(0)
}

/// A whole number; `10,000` from there on, below without a comma.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    if n < GROUPED {
        return digits;
    }
    let mut out = String::new();
    for (k, digit) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `10⁻¹²`.
pub fn power_of_ten(exponent: i32) -> String {
    let raised = |c: char| match c {
        '-' => '\u{207b}',
        '1' => '\u{b9}',
        '2' => '\u{b2}',
        '3' => '\u{b3}',
        c => char::from_u32(0x2070 + c.to_digit(10).unwrap_or(0)).unwrap_or(c),
    };
    let exponent: String = exponent.to_string().chars().map(raised).collect();
    format!("10{exponent}")
}

/// `mean ± SD`, or the mean alone for one value.
pub fn mean_sd(mean: f64, sd: Option<f64>, decimals: usize) -> String {
    match sd {
        Some(sd) => format!("{} ± {}", fixed(mean, decimals), fixed(sd, decimals)),
        None => fixed(mean, decimals),
    }
}

/// A number of unknown scale: three significant digits, or `1.2 × 10⁻⁷`.
pub fn compact(x: f64) -> String {
    let size = x.abs();
    if size == 0.0 || !size.is_finite() {
        return x.to_string().replace("-0", "0");
    }
    if !on_scale(x) {
        let text = format!("{x:.1e}");
        let (digits, _) = text.split_once('e').unwrap_or((&text, ""));
        let digits = digits.replace('-', "\u{2212}");
        return format!("{digits} × {}", power_of_ten(exponent_of(&text)));
    }
    let exponent = exponent_of(&format!("{x:.2e}"));
    if exponent < 4 {
        return fixed(x, (2 - exponent).clamp(0, MOST_DECIMALS) as usize);
    }
    let unit = 10f64.powi(exponent - 2);
    let sign = if x < 0.0 { "\u{2212}" } else { "" };
    format!("{sign}{}", grouped(((size / unit).round() * unit) as u64))
}

/// Whether `x` is written without a power of ten.
fn on_scale(x: f64) -> bool {
    x == 0.0 || (SMALL..LARGE).contains(&x.abs())
}

/// Another value of a quantity of unknown scale with standard deviation `sd`, with the decimals of
/// [`compact_mean_sd`].
pub fn compact_like(x: f64, sd: Option<f64>) -> String {
    match sd {
        Some(sd) if sd > 0.0 && on_scale(sd) && on_scale(x) => fixed(x, decimals(Some(sd), 2)),
        _ => compact(x),
    }
}

/// `mean ± SD` of a quantity of unknown scale.
pub fn compact_mean_sd(mean: f64, sd: Option<f64>) -> String {
    match sd {
        Some(sd) if sd > 0.0 && on_scale(sd) && on_scale(mean) => {
            mean_sd(mean, Some(sd), decimals(Some(sd), 2))
        }
        Some(sd) => format!("{} ± {}", compact(mean), compact(sd)),
        None => compact(mean),
    }
}

/// A p-value: `< 0.001`, three decimals below 0.1, two above; never rounded across 0.05.
pub fn p_value(p: f64) -> String {
    if p < 0.001 {
        return "< 0.001".to_owned();
    }
    let digits = if p < 0.0995 { 3 } else { 2 };
    let text = format!("{p:.digits$}");
    if text == "0.050" && p != 0.05 {
        return if p < 0.05 { "< 0.050" } else { "> 0.050" }.to_owned();
    }
    text
}

/// `p = 0.02`, or `p < 0.001`.
pub fn p_equation(p: f64) -> String {
    let text = p_value(p);
    match text.starts_with(['<', '>']) {
        true => format!("p {text}"),
        false => format!("p = {text}"),
    }
}

/// A confidence level in percent, with as many decimals as it needs, at most two: `95`, `98.75`.
pub fn level(confidence: f64) -> String {
    let text = format!("{:.2}", 100.0 * confidence);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `low to high`, signed.
pub fn interval(interval: Interval, decimals: usize) -> String {
    format!(
        "{} to {}",
        signed(interval.low, decimals),
        signed(interval.high, decimals)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_the_decimals_they_need() {
        let levels = [1, 2, 3, 4].map(|k| level(1.0 - 0.05 / f64::from(k)));
        assert_eq!(levels, ["95", "97.5", "98.33", "98.75"]);
    }

    #[test]
    fn negative_zero_is_never_shown() {
        assert_eq!(fixed(-0.001, 2), "0.00");
        assert_eq!(fixed(-1.25, 1), "\u{2212}1.2");
        assert_eq!(
            (signed(0.25, 2), signed(0.0, 2)),
            ("+0.25".to_owned(), "0.00".to_owned())
        );
        assert_eq!(signed(-0.25, 2), "\u{2212}0.25");
        assert_eq!(signed(0.001, 2), "0.00");
    }

    #[test]
    fn decimals_show_two_digits_of_the_sd() {
        let cases = [
            (0.14, 2),
            (0.0997, 2),
            (0.0094, 4),
            (1.4, 1),
            (23.0, 0),
            (1e-9, 6),
        ];
        for (sd, expected) in cases {
            assert_eq!(decimals(Some(sd), 9), expected, "{sd}");
        }
        assert_eq!((decimals(Some(0.0), 3), decimals(None, 4)), (3, 4));
    }

    #[test]
    fn mean_is_followed_by_its_sd() {
        assert_eq!(mean_sd(97.5234, Some(0.1432), 2), "97.52 ± 0.14");
        assert_eq!(mean_sd(97.5234, None, 2), "97.52");
        assert_eq!(mean_sd(97.5, Some(0.0), 2), "97.50 ± 0.00");
        assert_eq!(
            compact_mean_sd(1.23e-7, Some(4.5e-8)),
            "1.2 × 10⁻⁷ ± 4.5 × 10⁻⁸"
        );
        assert_eq!(compact_mean_sd(0.0, Some(0.0)), "0 ± 0");
        assert_eq!(compact_mean_sd(0.25, Some(0.011)), "0.250 ± 0.011");
    }

    #[test]
    fn other_values_have_the_decimals_of_the_spread() {
        assert_eq!(compact_like(99.739, Some(0.087)), "99.739");
        assert_eq!(compact_like(100.0, Some(0.087)), "100.000");
        assert_eq!(compact_like(1421.2, Some(0.0)), "1421");
        assert_eq!(compact_like(4e-16, Some(8e-17)), "4.0 × 10⁻¹⁶");
        assert_eq!(compact_like(0.25, None), "0.250");
    }

    #[test]
    fn long_whole_numbers_are_grouped() {
        let texts = [0, 9_999, 10_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "9999", "10,000", "1,234,567"]);
    }

    #[test]
    fn powers_of_ten_have_raised_exponents() {
        assert_eq!(
            [-12, 0, 3_456_789].map(power_of_ten),
            ["10⁻¹²", "10⁰", "10³⁴⁵⁶⁷⁸⁹"]
        );
    }

    #[test]
    fn p_values_in_text_have_one_sign() {
        assert_eq!(p_equation(0.0001), "p < 0.001");
        assert_eq!(p_equation(0.02), "p = 0.020");
    }

    #[test]
    fn p_values_are_not_rounded_across_the_level() {
        let cases = [
            (0.0004, "< 0.001"),
            (0.0123, "0.012"),
            (0.04996, "< 0.050"),
            (0.05, "0.050"),
            (0.05003, "> 0.050"),
            (0.0999, "0.10"),
            (0.42, "0.42"),
            (1.0, "1.00"),
        ];
        for (p, expected) in cases {
            assert_eq!(p_value(p), expected, "{p}");
        }
    }

    #[test]
    fn compact_numbers_keep_three_digits() {
        let cases = [
            (0.0, "0"),
            (0.01234, "0.0123"),
            (123.4, "123"),
            (99.74, "99.7"),
            (99.96, "100"),
            (1421.0, "1421"),
            (-14_213.0, "\u{2212}14,200"),
            (2e5, "200,000"),
            (2.34e7, "2.3 × 10⁷"),
            (-5.66e-16, "\u{2212}5.7 × 10⁻¹⁶"),
            (f64::INFINITY, "inf"),
        ];
        for (x, expected) in cases {
            assert_eq!(compact(x), expected);
        }
    }
}
