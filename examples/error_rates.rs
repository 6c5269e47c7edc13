//! Prints the simulated error rates of the decision rule: `cargo run --example error_rates [ROUNDS]`.

use ablate::stats::{Distribution, error_rates};

fn main() {
    let rounds = std::env::args()
        .nth(1)
        .map_or(Ok(20_000), |text| text.parse());
    let Ok(rounds @ 1..) = rounds else {
        eprintln!("error: the number of rounds must be a whole number above 0");
        std::process::exit(2);
    };
    println!(
        "At least one wrong reading among 1 to 4 primary contrasts, in percent ({rounds} rounds).\n\
         Left: true differences of zero, *better* or *worse* found. Right: true differences of one\n\
         margin, interval below the margin.\n"
    );
    println!("| differences | seeds | 1 contrast | 2 contrasts | 3 contrasts | 4 contrasts |");
    println!("|---|---|---|---|---|---|");
    for distribution in Distribution::ALL {
        let name = match distribution {
            Distribution::Normal => "normal",
            Distribution::Skewed => "skewed",
            Distribution::Images => "whole images, SD 2",
            Distribution::FewImages => "whole images, most equal",
        };
        for seeds in [5, 10, 20, 40] {
            let cells = (1..=4).map(|primary| {
                let rates = error_rates(distribution, seeds, primary, rounds);
                format!(
                    "{:.1} / {:.1}",
                    100.0 * rates.at_zero,
                    100.0 * rates.at_margin
                )
            });
            println!(
                "| {name} | {seeds} | {} |",
                cells.collect::<Vec<_>>().join(" | ")
            );
        }
    }
}
