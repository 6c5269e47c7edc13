use super::parity::*;
use super::side::*;
use crate::spec::Spec;
use burn::tensor::DType;

#[test]
fn dump() {
    let Ok(names) = std::env::var("EXPLORE") else { return };
    let steps: usize = std::env::var("STEPS").map_or(100, |s| s.parse().unwrap());
    let runs: usize = std::env::var("RUNS").map_or(12, |s| s.parse().unwrap());
    let devices = std::env::var("DEVICES").unwrap_or("flex,ndarray".into());
    for name in names.split(',') {
        let path = spec_path(name);
        let spec = Spec::load(&path, &[]).unwrap();
        for arm in 0..spec.arms.len() {
            let job = super::cell(&spec, &spec.arms[arm], "flex");
            let course = Course::new(&job, steps).unwrap();
            let clock = std::time::Instant::now();
            let flex = crate::device::open("flex").unwrap();
            let mut truth = Side::new(&course, &flex, DType::F64).unwrap();
            let mut sides: Vec<(String, Side)> = vec![];
            for d in devices.split(',') {
                sides.push((d.into(), Side::new(&course, &crate::device::open(d).unwrap(), DType::F32).unwrap()));
            }
            for r in 0..runs {
                sides.push((format!("n{r}"), Side::nudged(&course, &flex, r).unwrap()));
            }
            let paths = truth.paths();
            let mut all: Vec<_> = sides.iter().map(|_| empty(&paths)).collect();
            for index in 0..course.steps {
                let m = course.moment(&truth.batches, index);
                let exact = truth.step(&course, &m);
                for ((_, s), d) in sides.iter_mut().zip(&mut all) {
                    push(d, apart(&exact, &s.step(&course, &m)));
                }
            }
            for ((n, _), d) in sides.iter().zip(&all) {
                println!("DUMP {}", serde_json::to_string(&(name, &job.arm, n, d)).unwrap());
            }
            eprintln!("{name} {} {:.1}s", job.arm, clock.elapsed().as_secs_f64());
        }
    }
}

fn spec_path(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments").join(format!("{name}.toml"))
}
