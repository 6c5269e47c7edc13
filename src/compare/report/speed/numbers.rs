//! Formatting of numbers in the speed section.

use crate::stats::Estimate;
use crate::text::number::{compact, fixed};

/// A value with its interval, both formatted by `write`.
pub fn with_interval(estimate: Estimate, write: impl Fn(f64) -> String) -> String {
    let value = write(estimate.value);
    match estimate.interval {
        Some(interval) => {
            format!(
                "{value} ({} to {})",
                write(interval.low),
                write(interval.high)
            )
        }
        None => value,
    }
}

/// A time that may be infinite, with its interval.
pub(super) fn time_or_not_reached(estimate: Estimate, write: impl Fn(f64) -> String) -> String {
    let write = |x: f64| match x.is_finite() {
        true => write(x),
        false => "not reached".to_owned(),
    };
    match estimate.interval {
        Some(interval) if interval.low.is_infinite() => write(estimate.value),
        _ => with_interval(estimate, write),
    }
}

/// A ratio: two decimals, or three digits from ten on.
pub(super) fn times(ratio: f64) -> String {
    match ratio {
        _ if ratio < 0.1 => compact(ratio),
        _ if ratio < 9.995 => fixed(ratio, 2),
        _ => rounded(ratio),
    }
}

/// A setting, without trailing zeros.
pub(super) fn setting(x: f64) -> String {
    let text = compact(x);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A size, with as few decimals as it needs.
pub(super) fn in_digits(size: f64) -> String {
    match size {
        _ if size.fract() == 0.0 => grouped(size),
        _ if size < 9.95 => fixed(size, usize::from(size.fract() != 0.0)),
        _ => rounded(size),
    }
}

/// Three significant digits.
pub(super) fn rounded(x: f64) -> String {
    if x < 999.5 {
        return compact(x);
    }
    let unit = 10f64.powi(x.log10().floor() as i32 - 2);
    grouped((x / unit).round() * unit)
}

/// A whole number with thousands separators.
pub(super) fn grouped(x: f64) -> String {
    let digits = fixed(x, 0);
    let mut out = String::new();
    for (k, digit) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Interval;

    #[test]
    fn rates_and_sizes_have_few_digits() {
        let rates = [12.345, 999.4, 999.6, 12_345.0, 1_234_567.0].map(rounded);
        assert_eq!(rates, ["12.3", "999", "1,000", "12,300", "1,230,000"]);
        let sizes = [0.5, 1.0, 5.606, 64.0, 12.34, 1151.0].map(in_digits);
        assert_eq!(sizes, ["0.5", "1", "5.6", "64", "12.3", "1,151"]);
        let settings = [0.1, 5.0, 120.0, 0.25].map(setting);
        assert_eq!(settings, ["0.1", "5", "120", "0.25"]);
        let ratios = [0.0123, 0.5, 1.996, 9.999, 123.4].map(times);
        assert_eq!(ratios, ["0.0123", "0.50", "2.00", "10.0", "123"]);
    }

    #[test]
    fn interval_is_in_parentheses() {
        let interval = Some(Interval {
            low: 0.5,
            high: 1.5,
        });
        let value = 1.0;
        assert_eq!(
            with_interval(Estimate { value, interval }, times),
            "1.00 (0.50 to 1.50)"
        );
        let alone = Estimate {
            value,
            interval: None,
        };
        assert_eq!(with_interval(alone, times), "1.00");
    }

    #[test]
    fn infinite_time_is_not_reached() {
        let estimate = |value, low, high| Estimate {
            value,
            interval: Some(Interval { low, high }),
        };
        let never = f64::INFINITY;
        let said = |estimate| time_or_not_reached(estimate, times);
        assert_eq!(said(estimate(2.0, 1.0, 3.0)), "2.00 (1.00 to 3.00)");
        assert_eq!(
            said(estimate(2.0, 1.0, never)),
            "2.00 (1.00 to not reached)"
        );
        assert_eq!(
            said(estimate(never, 1.0, never)),
            "not reached (1.00 to not reached)"
        );
        assert_eq!(said(estimate(never, never, never)), "not reached");
    }
}
