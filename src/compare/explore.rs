use super::parity::*;
use crate::run::trainer::StopFlag;
use crate::spec::Spec;

#[test]
fn dump() {
    let Ok(names) = std::env::var("EXPLORE") else { return };
    let steps: usize = std::env::var("STEPS").map_or(100, |s| s.parse().unwrap());
    let devices = std::env::var("DEVICES").unwrap_or("flex,ndarray".into());
    let seeds: u64 = std::env::var("SEEDS").map_or(1, |s| s.parse().unwrap());
    for name in names.split(',') {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments").join(format!("{name}.toml"));
        let mut spec = Spec::load(&path, &[]).unwrap();
        for seed in 0..seeds {
        spec.seeds = vec![seed];
        for arm in &spec.arms {
            let stop = StopFlag::default();
            let clock = std::time::Instant::now();
            let y = yardstick(&super::cell(&spec, arm, "flex"), steps, &stop).unwrap().unwrap();
            println!("DUMP {}", serde_json::to_string(&(name, &arm.name, seed, "yardstick", &y)).unwrap());
            eprintln!("{name} {} {seed} yardstick {:.1}s", arm.name, clock.elapsed().as_secs_f64());
            for d in devices.split(',') {
                let clock = std::time::Instant::now();
                let p = parity(&super::cell(&spec, arm, d), &y, &stop).unwrap().unwrap();
                let b = crate::backends::bound::first_break(&p, &y).map(|b| (b.step, p.distances.name(b.quantity), b.distance, b.bound));
                eprintln!("{name} {} {seed} {d} {:.1}s kinks {:?} break {b:?} {:?}", arm.name, clock.elapsed().as_secs_f64(), p.kinks.iter().map(|k| k.step).collect::<Vec<_>>(), p.forward);
                println!("DUMP {}", serde_json::to_string(&(name, &arm.name, seed, d, &p)).unwrap());
            }
        }
        }
    }
}
