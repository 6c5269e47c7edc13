//! Warnings about weaknesses of a design, from the spec alone.

use crate::data;
use crate::recipe::DataConfig;
use crate::spec::{Arm, Contrast, Expect, Metric, Spec};
use crate::stats::{Rule, sign_flip_min_p, sign_flip_min_seeds};
use std::fmt;

/// Fewest seeds of an experiment of the standard suite.
const STANDARD_SEEDS: usize = 10;

/// A weakness of a design. `Display` describes it, [`Warning::advice`] says what to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Warning {
    /// The smallest possible two-sided p-value of the sign-flip test is above the strictest level of
    /// Holm's method, so that no difference can be significant.
    SignFlipFloor {
        /// Seeds of the spec.
        seeds: usize,
        /// Contrasts that predict a difference.
        contrasts: usize,
        /// Smallest p-value that can come out.
        floor: f64,
        /// Strictest level.
        level: f64,
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
            Self::SignFlipFloor {
                seeds,
                contrasts,
                floor,
                level,
            } => write!(
                f,
                "with {seeds} seeds no difference can be significant: the smallest p-value of the \
                 sign-flip test is {floor:.2}, above {level:.2}, the strictest level of Holm's method \
                 for {contrasts} difference{s}",
                s = if *contrasts == 1 { "" } else { "s" },
                floor = Digits(*floor),
                level = Digits(*level),
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
            Self::SignFlipFloor { level, .. } => {
                format!("use at least {} seeds", sign_flip_min_seeds(*level))
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
    found.extend(sign_flip(spec));
    if spec.suites.iter().any(|s| s == "standard") && spec.seeds.len() < STANDARD_SEEDS {
        found.push(Warning::FewSeeds {
            seeds: spec.seeds.len(),
        });
    }
    found.extend(spec.contrasts.iter().filter_map(|c| margin(spec, c)));
    found.extend(spec.contrasts.iter().filter_map(|c| tuning(spec, c)));
    found.extend(spec.contrasts.iter().filter_map(|c| pairing(spec, c)));
    found
}

/// Equivalences do not count: TOST has no smallest p-value. Even if Holm's method rejects all of them
/// first, the first difference is tested at the level divided by the number of differences.
fn sign_flip(spec: &Spec) -> Option<Warning> {
    let differs = |c: &&Contrast| c.expect != Expect::Equivalent;
    let contrasts = spec.contrasts.iter().filter(differs).count();
    if contrasts == 0 {
        return None;
    }
    let level = Rule::default().alpha / contrasts as f64;
    let floor = sign_flip_min_p(spec.seeds.len());
    (floor >= level).then_some(Warning::SignFlipFloor {
        seeds: spec.seeds.len(),
        contrasts,
        floor,
        level,
    })
}

/// One image of one seed changes the mean by the weight of its arm.
fn margin(spec: &Spec, contrast: &Contrast) -> Option<Warning> {
    if contrast.metric != Metric::TestAccuracy {
        return None;
    }
    let image = |(arm, weight): (&Arm, f64)| 100.0 * weight.abs() / test_images(&arm.data) as f64;
    let smallest = contrast.arms(&spec.arms).map(image).reduce(f64::min)?;
    let step = smallest / spec.seeds.len().max(1) as f64;
    (contrast.margin < step).then(|| Warning::MarginBelowStep {
        contrast: contrast.name.clone(),
        margin: contrast.margin,
        step,
    })
}

fn tuning(spec: &Spec, contrast: &Contrast) -> Option<Warning> {
    let rates = || (contrast.arms(&spec.arms)).map(|(arm, _)| arm.learning_rates.len());
    let (fewest, most) = (rates().min()?, rates().max()?);
    (fewest != most).then(|| Warning::UnequalTuning {
        contrast: contrast.name.clone(),
        fewest,
        most,
    })
}

fn pairing(spec: &Spec, contrast: &Contrast) -> Option<Warning> {
    let test_set = |d: &DataConfig| {
        let folds = data::tests_on_folds(d).then_some(d.folds);
        (d.name, folds)
    };
    let mut sets = contrast
        .arms(&spec.arms)
        .map(|(arm, _)| test_set(&arm.data));
    let first = sets.next()?;
    sets.any(|set| set != first).then(|| Warning::Unpaired {
        contrast: contrast.name.clone(),
    })
}

/// Number of test images per seed.
fn test_images(config: &DataConfig) -> usize {
    let entry = data::entry(config.name);
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
        let places = (significant - 1 - self.0.abs().log10().floor() as i32).clamp(0, 12);
        write!(f, "{:.*}", places as usize, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::fake::spec;
    use crate::spec::{ContrastKind, When, pair};

    fn contrast(name: &str, expect: Expect, margin: f64) -> Contrast {
        Contrast {
            name: name.into(),
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
    fn five_seeds_cannot_be_significant() {
        let five = design(5, vec![contrast("c", Expect::Differs, 1.0)]);
        let found = warnings(&five);
        assert_eq!(
            found[0].to_string(),
            "with 5 seeds no difference can be significant: the smallest p-value of the sign-flip \
             test is 0.062, above 0.050, the strictest level of Holm's method for 1 difference"
        );
        assert_eq!(found[0].advice(), "use at least 6 seeds");
        assert_eq!(
            warnings(&design(6, vec![contrast("c", Expect::Differs, 1.0)])),
            []
        );
    }

    #[test]
    fn more_differences_need_more_seeds() {
        let better = |n: &str| contrast(n, Expect::Better, 1.0);
        let equal = |n: &str| contrast(n, Expect::Equivalent, 1.0);
        let four = vec![better("a"), better("b"), better("c"), better("d")];
        // 2^-6 = 0.0156 is above 0.05 / 4 = 0.0125; 2^-7 is below it.
        assert_eq!(
            warnings(&design(7, four.clone()))[0].advice(),
            "use at least 8 seeds"
        );
        assert_eq!(warnings(&design(8, four)), []);
        let mixed = vec![better("a"), equal("b"), equal("c"), equal("d")];
        assert_eq!(warnings(&design(7, mixed)), []);
        assert_eq!(warnings(&design(2, vec![equal("b")])), []);
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
        spec.arms[1].data.folds = 10;
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
