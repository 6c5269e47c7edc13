//! Errors and power when seeds are added until there is a verdict.

use crate::rule::name;
use ablate::stats::{Distribution, LookPlan, look_rates, power_of_difference};

/// Seeds of the first look and largest number of seeds.
const PLANS: [(usize, usize); 5] = [(5, 10), (10, 20), (10, 40), (20, 40), (20, 60)];

pub(crate) fn print(rounds: usize) {
    println!(
        "Errors with a true difference of zero, in percent ({rounds} rounds). *Any look misses*: the\n\
         interval of at least one look excludes zero. *Stopped*: `differs` is supported when it stopped.\n"
    );
    println!("| differences | looks after | any look misses | stopped |");
    println!("|---|---|---|---|");
    for distribution in Distribution::ALL {
        for (first, most) in PLANS {
            let plan = LookPlan::of(first, most);
            let rates = look_rates(distribution, plan, 0.0, 0.01, rounds);
            println!(
                "| {} | {} | {:.1} | {:.1} |",
                name(distribution),
                listed(plan),
                100.0 * rates.misses,
                100.0 * rates.supported
            );
        }
    }
    println!(
        "\nPower for a true difference of one margin, in percent, and mean number of seeds (normal\n\
         differences). *Fixed*: an experiment with the seeds of the first look, or with the most, and no\n\
         look in between.\n"
    );
    println!("| margin / SD | looks after | power | mean seeds | fixed, first | fixed, most |");
    println!("|---|---|---|---|---|---|");
    for (first, most) in [(10, 20), (20, 40), (20, 60)] {
        for effect in [0.4, 0.6, 0.8] {
            let plan = LookPlan::of(first, most);
            let rates = look_rates(Distribution::Normal, plan, effect, effect, rounds);
            let fixed = |n| power_of_difference(effect, 1.0, n, 0.05).unwrap_or(0.0);
            println!(
                "| {effect} | {} | {:.0} | {:.1} | {:.0} | {:.0} |",
                listed(plan),
                100.0 * rates.supported,
                rates.seeds,
                100.0 * fixed(first),
                100.0 * fixed(most)
            );
        }
    }
}

fn listed(plan: LookPlan) -> String {
    let looks: Vec<String> = plan.looks().map(|n| n.to_string()).collect();
    looks.join(", ")
}
