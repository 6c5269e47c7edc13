//! Simulated error rates of the decision rule for differences that are not normal.

use super::decision::decisive_interval;
use super::sample::Sample;
use super::verdict::{Finding, Rule};
use ablate_streams::{Purpose, Stream};

/// Fewest seeds for which error rates were simulated, and with which a design is not warned about.
pub const MIN_SIMULATED_SEEDS: usize = 5;

/// The distribution of the difference at one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Normal.
    Normal,
    /// Log-normal, shifted to the true mean, with skewness 1.75 and the longer tail above it: a few seeds
    /// at which one arm fails badly.
    Skewed,
    /// Accuracies in whole test images: on average 2 images that only the treatment gets right and 2 that
    /// only the control does, a standard deviation of 2 images.
    Images,
    /// The same with 0.25 images each: most differences are zero.
    FewImages,
}

/// Probabilities that at least one of several primary contrasts is read wrongly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorRates {
    /// All true differences are zero, and a *better* or *worse* is found. Then `differs` is wrongly
    /// supported; half of this, for symmetric distributions, supports `better`.
    pub at_zero: f64,
    /// All true differences equal the margin, and an interval lies below the margin. Then `better` is
    /// wrongly contradicted, and `equivalent` is wrongly supported unless the interval reaches `-m`.
    pub at_margin: f64,
}

impl Distribution {
    /// All distributions.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Skewed, Self::Images, Self::FewImages];

    /// The margin: 0.5 points of 360 images, or 1.8 standard deviations.
    const MARGIN: f64 = 1.8;

    /// `count` differences with mean `mean`, in images or standard deviations.
    pub(super) fn draw(self, mean: f64, count: usize, random: &mut Random) -> Vec<f64> {
        let images =
            |each: f64, random: &mut Random| random.poisson(each + mean) - random.poisson(each);
        let one = |_| match self {
            Self::Normal => mean + random.normal(),
            // The mean of exp(z / 2) is exp(1 / 8).
            Self::Skewed => mean + (0.5 * random.normal()).exp() - 0.125_f64.exp(),
            Self::Images => images(2.0, random),
            Self::FewImages => images(0.25, random),
        };
        (0..count).map(one).collect()
    }
}

/// Simulates the rule for `primary` independent contrasts of `seeds` differences each.
///
/// The standard error of a rate `r` is `sqrt(r (1 - r) / rounds)`. Equal arguments give equal rates.
///
/// # Panics
/// If `seeds` or `rounds` is zero.
pub fn error_rates(
    distribution: Distribution,
    seeds: usize,
    primary: usize,
    rounds: usize,
) -> ErrorRates {
    let confidence = Rule::default().confidence(primary);
    let path = format!("{distribution:?} {seeds} {primary}");
    let mut random = Random::new(&Stream::new(0, Purpose::Resample, &path));
    let mut rate = |mean: f64, is_wrong: &dyn Fn(Finding, Option<f64>) -> bool| {
        let mut wrong = 0;
        for _ in 0..rounds {
            // Every contrast is drawn, so that rounds do not depend on each other's outcome.
            let errors = (0..primary).filter(|_| {
                let values = distribution.draw(mean, seeds, &mut random);
                let sample = Sample::new(values).expect("finite differences");
                let interval = decisive_interval(&sample, confidence);
                let finding = Finding::of(interval, Distribution::MARGIN);
                is_wrong(finding, interval.map(|i| i.high))
            });
            wrong += usize::from(errors.count() > 0);
        }
        wrong as f64 / rounds as f64
    };
    ErrorRates {
        at_zero: rate(0.0, &|finding, _| finding.is_better() || finding.is_worse()),
        at_margin: rate(Distribution::MARGIN, &|_, high| {
            high.is_some_and(|high| high < Distribution::MARGIN)
        }),
    }
}

/// Random numbers that do not end.
pub(super) struct Random {
    normals: Box<dyn Iterator<Item = f64>>,
    uniforms: Box<dyn Iterator<Item = f64>>,
}

impl Random {
    pub(super) fn new(stream: &Stream) -> Self {
        let uniform = |word: u32| (f64::from(word) + 0.5) / 4_294_967_296.0;
        Self {
            normals: Box::new(stream.normals(0)),
            uniforms: Box::new(stream.words(1).map(uniform)),
        }
    }

    fn normal(&mut self) -> f64 {
        self.normals.next().expect("streams do not end")
    }

    /// A Poisson number: how many uniform factors it takes to fall below `exp(-mean)`, less one.
    fn poisson(&mut self, mean: f64) -> f64 {
        let (end, mut product, mut count) = ((-mean).exp(), 1.0, -1.0);
        while product > end {
            product *= self.uniforms.next().expect("streams do not end");
            count += 1.0;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUNDS: usize = 3000;

    /// `rate` plus three standard errors.
    fn limit(rate: f64) -> f64 {
        rate + 3.0 * (rate * (1.0 - rate) / ROUNDS as f64).sqrt()
    }

    #[test]
    fn normal_differences_keep_the_error_rate() {
        for (seeds, primary) in [(5, 1), (10, 2), (20, 4)] {
            let rates = error_rates(Distribution::Normal, seeds, primary, ROUNDS);
            assert!(rates.at_zero < limit(0.05), "{seeds} {primary}: {rates:?}");
            assert!(
                rates.at_margin < limit(0.025),
                "{seeds} {primary}: {rates:?}"
            );
            // They exhaust it, too.
            assert!(rates.at_zero > 0.035, "{seeds} {primary}: {rates:?}");
            assert!(rates.at_margin > 0.015, "{seeds} {primary}: {rates:?}");
        }
    }

    #[test]
    fn whole_images_keep_the_error_rate() {
        for (seeds, primary) in [(5, 1), (10, 4), (20, 1)] {
            for distribution in [Distribution::Images, Distribution::FewImages] {
                let rates = error_rates(distribution, seeds, primary, ROUNDS);
                let which = format!("{distribution:?} {seeds} {primary}: {rates:?}");
                assert!(rates.at_zero < limit(0.055), "{which}");
                assert!(rates.at_margin < limit(0.05), "{which}");
            }
        }
    }

    #[test]
    fn skewed_differences_exceed_the_error_rate() {
        for (seeds, primary) in [(10, 1), (10, 4), (40, 1)] {
            let rates = error_rates(Distribution::Skewed, seeds, primary, ROUNDS);
            let which = format!("{seeds} {primary}: {rates:?}");
            assert!(rates.at_zero < 0.15 && rates.at_zero > 0.04, "{which}");
            assert!(rates.at_margin < 0.15 && rates.at_margin > 0.04, "{which}");
        }
    }

    #[test]
    fn drawn_differences_have_their_mean_and_spread() {
        let mut random = Random::new(&Stream::new(1, Purpose::Resample, "moments"));
        for (distribution, mean, variance) in [
            (Distribution::Normal, 1.8, 1.0),
            (
                Distribution::Skewed,
                1.8,
                (0.25_f64.exp() - 1.0) * 0.25_f64.exp(),
            ),
            (Distribution::Images, 1.8, 5.8),
            (Distribution::FewImages, 0.0, 0.5),
        ] {
            let sample = Sample::new(distribution.draw(mean, 40_000, &mut random)).unwrap();
            let sd = sample.sd().unwrap();
            assert!(
                (sample.mean() - mean).abs() < 0.05,
                "{distribution:?} {}",
                sample.mean()
            );
            assert!(
                (sd * sd / variance - 1.0).abs() < 0.08,
                "{distribution:?} {sd}"
            );
        }
    }
}
