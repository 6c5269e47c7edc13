//! Warnings about weaknesses of a design, from the spec alone.

use crate::data;
use crate::recipe::DataConfig;
use crate::spec::{Arm, Contrast, Metric, Spec};
use crate::stats::MIN_SIMULATED_SEEDS;
use std::collections::BTreeSet;
use std::fmt;

/// Fewest seeds of an experiment of the standard suite.
const STANDARD_SEEDS: usize = 10;

/// A weakness of a design. `Display` describes it, [`Warning::advice`] says what to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Warning {
    /// There are fewer seeds than the error rates of the decision rule were simulated for.
    UncheckedSeeds {
        /// Seeds of the spec.
        seeds: usize,
    },
    /// An experiment of the standard suite has few seeds.
    FewSeeds {
        /// Seeds of the spec.
        seeds: usize,
    },
    /// A margin on test accuracy is below the resolution of a mean difference.
    MarginBelowStep {
        /// The contrast.
        contrast: String,
        /// Its margin, in points.
        margin: f64,
        /// Resolution: one test image of one seed, in points.
        step: f64,
    },
    /// The arms of a contrast have learning-rate grids of different sizes.
    UnequalTuning {
        /// The contrast.
        contrast: String,
        /// Smallest number of learning rates.
        fewest: usize,
        /// Largest number of learning rates.
        most: usize,
    },
    /// The arms of a contrast are tested on different images, so pairing by seed does not reduce the
    /// variance.
    Unpaired {
        /// The contrast.
        contrast: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UncheckedSeeds { seeds } => write!(
                f,
                "with {seeds} seeds an interval rests on the assumption of normal differences, which \
                 so few cannot check"
            ),
            Self::FewSeeds { seeds } => write!(
                f,
                "{seeds} seeds are few for an experiment of the standard suite"
            ),
            Self::MarginBelowStep {
                contrast,
                margin,
                step,
            } => write!(
                f,
                "contrast `{contrast}`: the margin of {margin} points is below {step:.2} points, \
                 the change of the mean over seeds by one test image",
                step = Digits(*step),
            ),
            Self::UnequalTuning {
                contrast,
                fewest,
                most,
            } => write!(
                f,
                "contrast `{contrast}`: one arm has {fewest} learning rates to choose from, another \
                 {most}"
            ),
            Self::Unpaired { contrast } => write!(
                f,
                "contrast `{contrast}`: its arms are tested on different images"
            ),
        }
    }
}

impl Warning {
    /// What to do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::UncheckedSeeds { .. } => {
                format!("use at least {MIN_SIMULATED_SEEDS} seeds")
            }
            Self::FewSeeds { .. } => format!("use at least {STANDARD_SEEDS} seeds"),
            Self::MarginBelowStep { .. } => {
                "widen the margin, add seeds, or compare `test_nll`, which has no steps".to_owned()
            }
            Self::UnequalTuning { .. } => {
                "give all its arms the same number of learning rates, so that none is tuned better"
                    .to_owned()
            }
            Self::Unpaired { .. } => {
                "give its arms one `data.name`, `data.test` and `data.folds`".to_owned()
            }
        }
    }
}

/// The weaknesses of `spec`, ordered by variant of [`Warning`] and then as in the spec.
pub fn warnings(spec: &Spec) -> Vec<Warning> {
    let mut found = Vec::new();
    let seeds = spec.seeds.len();
    if !spec.contrasts.is_empty() && seeds < MIN_SIMULATED_SEEDS {
        found.push(Warning::UncheckedSeeds { seeds });
    }
    if spec.suites.iter().any(|s| s == "standard") && seeds < STANDARD_SEEDS {
        found.push(Warning::FewSeeds { seeds });
    }
    found.extend(spec.contrasts.iter().filter_map(|c| margin(spec, c)));
    found.extend(spec.contrasts.iter().filter_map(|c| tuning(spec, c)));
    found.extend(spec.contrasts.iter().filter_map(|c| pairing(spec, c)));
    found
}

/// One image of one seed changes the mean by the weight of its arm.
fn margin(spec: &Spec, contrast: &Contrast) -> Option<Warning> {
    if contrast.metric != Metric::TestAccuracy {
        return None;
    }
    let image = |(arm, weight): (&Arm, f64)| {
        Some(100.0 * weight.abs() / test_images(&arm.net()?.data) as f64)
    };
    let smallest = (contrast.arms(&spec.arms).filter_map(image)).reduce(f64::min)?;
    let step = smallest / spec.seeds.len().max(1) as f64;
    (contrast.margin < step).then(|| Warning::MarginBelowStep {
        contrast: contrast.name.clone(),
        margin: contrast.margin,
        step,
    })
}

/// Compares the grids on the two sides of a contrast. Both sides of an interaction may have arms with
/// larger grids than others.
fn tuning(spec: &Spec, contrast: &Contrast) -> Option<Warning> {
    let sizes = |positive: bool| -> BTreeSet<usize> {
        let side = (contrast.arms(&spec.arms)).filter(|(_, weight)| (*weight > 0.0) == positive);
        side.map(|(arm, _)| arm.learning_rates.len()).collect()
    };
    let (treatment, control) = (sizes(true), sizes(false));
    let all = &treatment | &control;
    (treatment != control).then_some(Warning::UnequalTuning {
        contrast: contrast.name.clone(),
        fewest: *all.first()?,
        most: *all.last()?,
    })
}

fn pairing(spec: &Spec, contrast: &Contrast) -> Option<Warning> {
    let test_set = |d: &DataConfig| {
        let folds = data::tests_on_folds(d).then_some(d.folds);
        (d.name, folds)
    };
    let nets = contrast.arms(&spec.arms).filter_map(|(arm, _)| arm.net());
    let mut sets = nets.map(|net| test_set(&net.data));
    let first = sets.next()?;
    sets.any(|set| set != first).then(|| Warning::Unpaired {
        contrast: contrast.name.clone(),
    })
}

/// Number of test images per seed; at least 1.
pub fn test_images(config: &DataConfig) -> usize {
    let entry = data::entry_of(config);
    let images = match entry.test_images() {
        Some(test) if !data::tests_on_folds(config) => test,
        _ => entry.train_images() / config.folds.max(1),
    };
    images.max(1)
}

/// A small number, displayed with as many significant digits as its precision.
struct Digits(f64);

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let significant = f.precision().unwrap_or(2) as i32;
        let decimals = (significant - 1 - self.0.abs().log10().floor() as i32).clamp(0, 12);
        write!(f, "{:.*}", decimals as usize, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fake::spec;
    use crate::spec::{ContrastKind, Expect, When, pair};

    fn contrast(name: &str, expect: Expect, margin: f64) -> Contrast {
        Contrast {
            name: name.into(),
            claim: None,
            stratum: None,
            comparison: ContrastKind::arms("a", "b"),
            weights: pair("a", "b"),
            metric: Metric::TestAccuracy,
            when: When::Last,
            expect,
            margin,
            primary: true,
            note: String::new(),
        }
    }

    fn design(seeds: usize, contrasts: Vec<Contrast>) -> Spec {
        let mut spec = spec(&["a", "b"], seeds);
        spec.contrasts = contrasts;
        spec
    }

    #[test]
    fn sound_design_has_no_warning() {
        let mut spec = design(20, vec![contrast("c", Expect::Better, 0.5)]);
        spec.suites = vec!["standard".into()];
        assert_eq!(warnings(&spec), []);
    }

    #[test]
    fn four_seeds_are_fewer_than_were_simulated() {
        let one = vec![contrast("c", Expect::Differs, 1.0)];
        let found = warnings(&design(4, one.clone()));
        assert_eq!(found, [Warning::UncheckedSeeds { seeds: 4 }]);
        assert!(found[0].to_string().starts_with("with 4 seeds an interval"));
        assert_eq!(found[0].advice(), "use at least 5 seeds");
        assert_eq!(warnings(&design(5, one)), []);
        assert_eq!(warnings(&design(2, Vec::new())), []);
    }

    #[test]
    fn the_standard_suite_asks_for_ten_seeds_and_others_do_not() {
        let mut spec = design(9, Vec::new());
        assert_eq!(warnings(&spec), []);
        spec.suites = vec!["smoke".into(), "standard".into()];
        assert_eq!(warnings(&spec), [Warning::FewSeeds { seeds: 9 }]);
    }

    #[test]
    fn a_margin_below_one_image_of_one_seed_is_pointed_out_for_accuracies_only() {
        // 359 images in the fold, 10 seeds: steps of 100 / 3590 = 0.0279 points.
        let mut spec = design(10, vec![contrast("c", Expect::Equivalent, 0.02)]);
        let found = warnings(&spec);
        assert!(matches!(&found[..], [Warning::MarginBelowStep { step, .. }]
            if (step - 100.0 / 3590.0).abs() < 1e-12));
        assert!(
            found[0].to_string().contains("below 0.028 points"),
            "{}",
            found[0]
        );
        spec.contrasts[0].margin = 0.03;
        assert_eq!(warnings(&spec), []);
        spec.contrasts[0].margin = 0.001;
        spec.contrasts[0].metric = Metric::TestNll;
        assert_eq!(warnings(&spec), []);
    }

    #[test]
    fn arms_that_are_tuned_or_tested_differently_are_pointed_out() {
        let mut spec = design(10, vec![contrast("c", Expect::Better, 1.0)]);
        spec.arms[0].learning_rates = vec![0.1, 0.01];
        let net = spec.arms[1].recipe.net_mut().expect("a net");
        net.data.folds = 10;
        let found = warnings(&spec);
        assert!(
            matches!(
                &found[..],
                [
                    Warning::UnequalTuning {
                        fewest: 1,
                        most: 2,
                        ..
                    },
                    Warning::Unpaired { .. }
                ]
            ),
            "{found:?}"
        );
    }
}
