//! Training steps of this project beside the same steps in PyTorch and in JAX, on the CPU.
mod contest;
mod ours;
#[expect(dead_code, reason = "what the peers need comes with them")]
mod work;

use clap::Parser;

#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    #[arg(long)]
    only: Option<String>,
    #[arg(long, value_delimiter = ',', default_value = "flex,ndarray")]
    device: Vec<String>,
    #[arg(long)]
    no_peers: bool,
    #[arg(long)]
    parts: Option<String>,
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let a = Arguments::parse();
    for c in work::compared() {
        if a.only
            .as_ref()
            .is_some_and(|o| !c.work.name().contains(o.as_str()))
        {
            continue;
        }
        for d in &a.device {
            let t = ours::alone(&c.work, d, a.rounds, a.seconds).unwrap();
            println!(
                "{} {d} {t:.3?} {:.1} GFLOP/s",
                c.work.name(),
                2e-6 * c.work.multiply_adds() / t[0]
            );
        }
    }
}
