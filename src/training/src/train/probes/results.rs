//! Results of the probes in one cell.

use crate::record::CellRecord;
use std::collections::BTreeMap;

/// Significant digits of recorded traces and series.
const SIGNIFICANT_DIGITS: usize = 6;

/// Values, traces and series of one cell, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProbeResults {
    values: BTreeMap<String, f64>,
    traces: BTreeMap<String, Vec<f64>>,
    series: BTreeMap<String, Vec<f64>>,
}

impl ProbeResults {
    /// Records a value.
    pub(crate) fn put_value(&mut self, name: &str, value: f64) {
        self.values.insert(name.to_owned(), value);
    }

    /// Returns the value called `name`.
    #[cfg(test)]
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.values.get(name).copied()
    }

    /// Returns the trace called `name`.
    #[cfg(test)]
    pub(crate) fn trace(&self, name: &str) -> &[f64] {
        self.traces.get(name).map_or(&[], Vec::as_slice)
    }

    /// Appends the value of this epoch to a trace; every epoch must have one.
    pub(crate) fn push_trace(&mut self, name: &str, value: f64) {
        let trace = self.traces.entry(name.to_owned()).or_default();
        trace.push(rounded(value));
    }

    /// Records a series, such as a curve or histogram.
    pub(crate) fn put_series(&mut self, name: &str, values: impl IntoIterator<Item = f64>) {
        let values = values.into_iter().map(rounded).collect();
        self.series.insert(name.to_owned(), values);
    }

    /// Writes all finite results into the record.
    pub(crate) fn write_to(self, record: &mut CellRecord) {
        let finite = |(_, values): &(String, Vec<f64>)| values.iter().all(|v| v.is_finite());
        let values = self.values.into_iter();
        record.probes = values.filter(|(_, value)| value.is_finite()).collect();
        record.traces = self.traces.into_iter().filter(finite).collect();
        record.series = self.series.into_iter().filter(finite).collect();
    }
}

/// Records a value in every cell.
pub(super) fn put_values(results: &mut [ProbeResults], name: &str, value: impl Fn(usize) -> f64) {
    for (r, result) in results.iter_mut().enumerate() {
        result.put_value(name, value(r));
    }
}

/// Rounds `value` to the significant digits that are recorded, which keeps records small.
fn rounded(value: f64) -> f64 {
    let text = format!("{value:.*e}", SIGNIFICANT_DIGITS - 1);
    text.parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_keeps_six_significant_digits() {
        assert_eq!(rounded(1.0 / 3.0), 0.333333);
        assert_eq!(rounded(-2e-9 / 3.0), -6.66667e-10);
        assert_eq!(rounded(1_234_567.0), 1_234_570.0);
        assert_eq!(rounded(0.0), 0.0);
        assert!(rounded(f64::NAN).is_nan());
    }
}
