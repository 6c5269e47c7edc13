//! Rounds in which every contestant is timed once.

use ablate::compare::measure::timing::stopwatch::turn;

/// Why a contestant cannot be timed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) String);

/// Takes training steps of one work when told to; rests between.
pub(crate) trait Contestant {
    /// What it is called in tables.
    fn name(&self) -> &str;

    /// Builds and compiles what it needs and takes steps for about `seconds`.
    fn warm_up(&mut self, seconds: f64) -> Result<(), Failure>;

    /// Takes steps for about `seconds`; the milliseconds that one step of all replicas took.
    fn measure(&mut self, seconds: f64) -> Result<f64, Failure>;
}

/// What a contestant gave.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Score {
    /// Its name.
    pub(crate) name: String,
    /// Milliseconds a step, round by round, or why there are none.
    pub(crate) rounds: Result<Vec<f64>, Failure>,
}

/// Times every contestant once in each of `rounds` rounds, in an order that turns round from one
/// to the next, so that whatever drifts hits all alike. One that fails drops out.
pub(crate) fn contest(
    contestants: &mut [Box<dyn Contestant + '_>],
    rounds: usize,
    seconds: f64,
    mut tell: impl FnMut(&str),
) -> Vec<Score> {
    let mut scores: Vec<Score> = Vec::new();
    for contestant in contestants.iter_mut() {
        tell(contestant.name());
        let warm = contestant.warm_up(seconds);
        scores.push(Score {
            name: contestant.name().to_owned(),
            rounds: warm.map(|()| Vec::new()),
        });
    }
    for round in 0..rounds {
        tell(&format!("round {} of {rounds}", round + 1));
        for k in turn(contestants.len(), round) {
            let score = &mut scores[k].rounds;
            if let Ok(times) = score {
                match contestants[k].measure(seconds) {
                    Ok(milliseconds) => times.push(milliseconds),
                    Err(failure) => *score = Err(failure),
                }
            }
        }
    }
    scores
}
