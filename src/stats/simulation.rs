//! Simulated coverage of intervals and error rates of verdicts.
//!
//! Samples are drawn from known distributions at fixed seeds, so every rate is a fixed number.

use super::verdict::test_family;
use super::{
    Alternative, Hypothesis, Prediction, Rule, Sample, bca_interval, detectable_difference,
    sign_flip_level, sign_flip_test, t_interval,
};
use ablate_streams::{Purpose, Stream};

const ALPHA: f64 = 0.05;

fn stream(name: &str) -> Stream {
    Stream::new(2024, Purpose::Resample, name)
}

/// `rounds` samples of `n` standard normal values.
fn normal_samples(name: &str, rounds: usize, n: usize) -> impl Iterator<Item = Vec<f64>> {
    let mut normals = stream(name).normals(0);
    (0..rounds).map(move |_| normals.by_ref().take(n).collect())
}

fn share(hits: usize, rounds: usize) -> f64 {
    hits as f64 / rounds as f64
}

/// `ALPHA` plus three standard errors of a rate over `rounds`.
fn limit(rounds: usize) -> f64 {
    ALPHA + 3.0 * (ALPHA * (1.0 - ALPHA) / rounds as f64).sqrt()
}

#[test]
fn t_intervals_have_nominal_coverage() {
    let rounds = 20_000;
    for n in [2, 5, 10] {
        let covered = normal_samples("t", rounds, n)
            .filter(|values| {
                let sample = Sample::new(values.clone()).unwrap();
                t_interval(&sample, 0.95).unwrap().contains(0.0)
            })
            .count();
        let coverage = share(covered, rounds);
        // Three standard errors are 0.0046.
        assert!((coverage - 0.95).abs() < 0.0046, "{n}: {coverage}");
    }
}

#[test]
fn bca_intervals_of_ten_values_cover_ninety_percent() {
    let rounds = 4000;
    let covered = normal_samples("coverage", rounds, 10)
        .enumerate()
        .filter(|(round, values)| {
            let sample = Sample::new(values.clone()).unwrap();
            let stream = Stream::new(*round as u64, Purpose::Resample, "bca");
            bca_interval(&sample, 0.95, 1000, &stream).contains(0.0)
        })
        .count();
    let coverage = share(covered, rounds);
    assert!((0.89..0.915).contains(&coverage), "{coverage}");
}

#[test]
fn sign_flip_test_nearly_has_the_stated_power() {
    let rounds = 4000;
    for (n, low, high) in [(6, 0.69, 0.75), (10, 0.77, 0.81), (20, 0.78, 0.82)] {
        let level = sign_flip_level(n, ALPHA).unwrap();
        let delta = detectable_difference(1.0, n, level, 0.8).unwrap();
        let shown = normal_samples("power", rounds, n)
            .filter(|values| {
                let sample = Sample::new(values.iter().map(|z| delta + z).collect()).unwrap();
                sign_flip_test(&sample, Alternative::TwoSided, 1, &stream("")) < ALPHA
            })
            .count();
        let power = share(shown, rounds);
        assert!((low..high).contains(&power), "{n}: {power}");
    }
}

/// Makes a difference from its center and a standard normal value.
type Draw = fn(f64, f64) -> f64;

/// One image of 360, in percent.
const IMAGE: f64 = 100.0 / 360.0;

const NORMAL: Draw = |center, z| center + 0.3 * z;
/// Whole images, with a standard deviation of 1.4.
const FINE: Draw = |center, z| center + IMAGE * (1.4 * z).round();
/// Whole images, 79 % of the values zero.
const COARSE: Draw = |center, z| center + IMAGE * (0.4 * z).round();
/// Skewness 1.75, with the center as its mean.
const SKEWED: Draw = |center, z| center + 0.3 * ((0.5 * z).exp() - 0.125_f64.exp());

const ROUNDS: usize = 4000;

/// Rates at which a single prediction is supported and contradicted.
fn rates(draw: Draw, n: usize, prediction: Prediction, center: f64, margin: f64) -> (f64, f64) {
    let rule = Rule::default();
    let (mut supported, mut contradicted) = (0, 0);
    for values in normal_samples("verdict", ROUNDS, n) {
        let values = values.into_iter().map(|z| draw(center, z)).collect();
        let hypothesis = Hypothesis {
            differences: Sample::new(values).unwrap(),
            prediction,
            margin,
        };
        let result = test_family(&[hypothesis], &rule, &stream(""))[0];
        supported += usize::from(result.support_holm < ALPHA);
        contradicted += usize::from(result.contradict_holm < ALPHA);
    }
    (share(supported, ROUNDS), share(contradicted, ROUNDS))
}

#[test]
fn zero_difference_is_supported_at_most_at_alpha() {
    for (name, draw) in [("normal", NORMAL), ("fine", FINE), ("coarse", COARSE)] {
        for n in [6, 10] {
            for prediction in [Prediction::Better, Prediction::Worse, Prediction::Differs] {
                let (supported, _) = rates(draw, n, prediction, 0.0, 0.01);
                assert!(
                    supported < limit(ROUNDS),
                    "{name} {n} {prediction:?}: {supported}"
                );
            }
        }
    }
    // With normal data the tests nearly exhaust their level.
    let (differs, _) = rates(NORMAL, 10, Prediction::Differs, 0.0, 0.01);
    let (better, _) = rates(NORMAL, 10, Prediction::Better, 0.0, 0.01);
    assert!(differs > 0.04 && better > 0.017, "{differs} {better}");
}

#[test]
fn zero_difference_is_contradicted_at_most_at_half_alpha() {
    // The margin is too small for equivalence to be shown.
    for prediction in [Prediction::Better, Prediction::Worse] {
        let (_, contradicted) = rates(NORMAL, 10, prediction, 0.0, 0.001);
        assert!(
            contradicted < limit(ROUNDS) / 2.0,
            "{prediction:?}: {contradicted}"
        );
        assert!(contradicted > 0.005, "{prediction:?}: {contradicted}");
    }
}

/// Error rates with the mean exactly at the upper end of the margin.
///
/// In this order: support of `equivalent`; contradiction of `better`, `differs` and `equivalent`.
fn errors_at_the_margin(draw: Draw, n: usize) -> [f64; 4] {
    let margin = 3.0 * IMAGE;
    let (equivalent, outside) = rates(draw, n, Prediction::Equivalent, margin, margin);
    let (_, better) = rates(draw, n, Prediction::Better, margin, margin);
    let (_, differs) = rates(draw, n, Prediction::Differs, margin, margin);
    [equivalent, better, differs, outside]
}

#[test]
fn difference_at_the_margin_is_equivalent_at_most_at_alpha() {
    for n in [2, 5, 10] {
        let errors = errors_at_the_margin(NORMAL, n);
        let [equivalent, better, differs, outside] = errors;
        assert!(
            equivalent < limit(ROUNDS) && differs < limit(ROUNDS),
            "{n}: {errors:?}"
        );
        // One of two tails, or one of two contradicting tests.
        assert!(better < limit(ROUNDS) / 2.0, "{n}: {errors:?}");
        assert!(outside < limit(ROUNDS) / 2.0, "{n}: {errors:?}");
        assert!(equivalent > 0.04, "{n}: {errors:?}");
    }
}

#[test]
fn whole_images_raise_the_error_rate_slightly() {
    // Summed over all outcomes for 3 to 7 values with standard deviations of 0.3 to 1.7 images, the
    // equivalence test errs in at most 6.1 % (5 values, standard deviation 1.0), else in 5.4 %.
    for (name, draw) in [("fine", FINE), ("coarse", COARSE)] {
        for n in [2, 3, 5, 10] {
            let [equivalent, better, differs, outside] = errors_at_the_margin(draw, n);
            for error in [equivalent, differs] {
                assert!(error < limit(ROUNDS) + 0.01, "{name} {n}: {error}");
            }
            for error in [better, outside] {
                assert!(error < limit(ROUNDS) / 2.0 + 0.01, "{name} {n}: {error}");
            }
        }
    }
}

#[test]
fn skewed_differences_exceed_alpha() {
    // The tests assume symmetric differences.
    let [equivalent, ..] = errors_at_the_margin(SKEWED, 10);
    let (differs, _) = rates(SKEWED, 10, Prediction::Differs, 0.0, 0.001);
    assert!((0.10..0.13).contains(&equivalent), "{equivalent}");
    assert!((0.06..0.09).contains(&differs), "{differs}");
}

/// Rates at which any of four independent hypotheses is supported, and any is contradicted.
fn family_rates(center: f64, margin: f64, predictions: [Prediction; 4]) -> (f64, f64) {
    let (rule, n) = (Rule::default(), 10);
    let (mut supported, mut contradicted) = (0, 0);
    for values in normal_samples("family", ROUNDS, 4 * n) {
        let hypothesis = |(part, &prediction): (&[f64], &Prediction)| Hypothesis {
            differences: Sample::new(part.iter().map(|&z| NORMAL(center, z)).collect()).unwrap(),
            prediction,
            margin,
        };
        let hypotheses: Vec<Hypothesis> =
            values.chunks(n).zip(&predictions).map(hypothesis).collect();
        let results = test_family(&hypotheses, &rule, &stream(""));
        supported += usize::from(results.iter().any(|j| j.support_holm < ALPHA));
        contradicted += usize::from(results.iter().any(|j| j.contradict_holm < ALPHA));
    }
    (share(supported, ROUNDS), share(contradicted, ROUNDS))
}

#[test]
fn family_wise_error_rate_is_at_most_alpha() {
    use Prediction::{Better, Differs, Equivalent};
    let (supported, _) = family_rates(0.0, 0.001, [Differs; 4]);
    assert!(supported < limit(ROUNDS) && supported > 0.03, "{supported}");
    let (supported, contradicted) = family_rates(IMAGE, IMAGE, [Equivalent; 4]);
    assert!(supported < limit(ROUNDS) && supported > 0.03, "{supported}");
    assert!(contradicted < limit(ROUNDS), "{contradicted}");
    let (_, contradicted) = family_rates(IMAGE, IMAGE, [Better, Differs, Better, Differs]);
    assert!(contradicted < limit(ROUNDS), "{contradicted}");
}
