//! Simulated error rates and power, as METHODOLOGY documents them:
//! `cargo run --example error_rates -- [WHAT] [ROUNDS]`.

mod experience;
mod looks;
mod pipeline;
mod rule;

const USAGE: &str = "\
usage: cargo run --example error_rates -- [WHAT] [ROUNDS]

WHAT is one of
  rule        wrong readings of one to four intervals (default)
  looks       errors and power when seeds are added until there is a verdict
  pipeline    errors from experiment file to claim, with planted truth
  forecast    predicted and recorded standard deviations, contrast by contrast
  experience  the table `src/analysis/experience.toml`, from the committed results";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut what = arguments.next().unwrap_or_else(|| "rule".to_owned());
    let mut rounds = arguments.next();
    if what.parse::<usize>().is_ok() {
        rounds = Some(std::mem::replace(&mut what, "rule".to_owned()));
    }
    let count = |otherwise: usize| match rounds.as_deref().map_or(Ok(otherwise), str::parse) {
        Ok(rounds @ 1..) => rounds,
        _ => fail("the number of rounds must be a whole number above 0"),
    };
    match what.as_str() {
        "rule" => rule::print(count(20_000)),
        "looks" => looks::print(count(20_000)),
        "pipeline" => pipeline::print(count(1_000)),
        "forecast" => experience::print_forecasts(),
        "experience" => experience::print_table(),
        other => fail(&format!("unknown `{other}`\n\n{USAGE}")),
    }
}

/// Ends the program with a message.
fn fail(message: &str) -> ! {
    eprintln!("error: {message}");
    std::process::exit(2);
}
