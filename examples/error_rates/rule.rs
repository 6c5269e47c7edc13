//! Wrong readings of one to four intervals.

use ablate::stats::{Distribution, error_rates};

/// Name of a distribution in a table.
pub(crate) const fn name(distribution: Distribution) -> &'static str {
    match distribution {
        Distribution::Normal => "normal",
        Distribution::Skewed => "skewed",
        Distribution::Images => "whole images, SD 2",
        Distribution::FewImages => "whole images, most equal",
    }
}

pub(crate) fn print(rounds: usize) {
    println!(
        "At least one wrong reading among 1 to 4 primary contrasts, in percent ({rounds} rounds).\n\
         Left: true differences of zero, *better* or *worse* found. Right: true differences of one\n\
         margin, interval below the margin.\n"
    );
    println!("| differences | seeds | 1 contrast | 2 contrasts | 3 contrasts | 4 contrasts |");
    println!("|---|---|---|---|---|---|");
    for distribution in Distribution::ALL {
        let name = name(distribution);
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
