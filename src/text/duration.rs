//! Durations.

/// A duration in the largest unit that fits: `45 s`, `10 min`, `2.0 h`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5_400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_use_the_largest_fitting_unit() {
        assert_eq!(duration(1.4), "1 s");
        assert_eq!(duration(600.0), "10 min");
        assert_eq!(duration(7_200.0), "2.0 h");
    }
}
