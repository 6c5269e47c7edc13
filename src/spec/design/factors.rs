//! Factors and their levels.

use serde::{Deserialize, Serialize};

/// A factor of a crossed design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    /// Name; unique in the spec; `[a-z0-9-]+`.
    pub name: String,
    /// Label in tables, axes and legends.
    pub label: String,
    /// Levels in the order of the file; two or more.
    pub levels: Vec<Level>,
}

/// One level of a factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Name, by which contrasts refer to it; unique in the factor.
    pub name: String,
    /// Label in tables, axes and legends.
    pub label: String,
    /// The level as a number, where it is one: its place on a numeric axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

impl Factor {
    /// Index of the level called `name`.
    pub fn level(&self, name: &str) -> Option<usize> {
        self.levels.iter().position(|level| level.name == name)
    }

    /// The levels as numbers; `None` where one of them is none.
    pub fn values(&self) -> Option<Vec<f64>> {
        self.levels.iter().map(|level| level.value).collect()
    }
}

/// Every combination of indices below `sizes`; the last index varies fastest.
/// One empty combination of nothing; none where a size is 0.
pub(in crate::spec) fn combinations(sizes: &[usize]) -> Vec<Vec<usize>> {
    sizes.iter().fold(vec![Vec::new()], |combinations, &size| {
        combinations
            .into_iter()
            .flat_map(|start| (0..size).map(move |last| [start.as_slice(), &[last]].concat()))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combinations_come_in_the_order_of_the_factors_and_the_last_runs_fastest() {
        assert_eq!(
            combinations(&[2, 3]),
            [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
        );
        assert_eq!(combinations(&[]), [Vec::<usize>::new()]);
        assert_eq!(combinations(&[3, 0]), Vec::<Vec<usize>>::new());
    }
}
