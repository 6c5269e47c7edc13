//! `ablate compare`.

use crate::bench::{Bench, TINY};
use serde_json::Value;

/// A minimal comparison of both CPU devices.
const QUICK: &str = "compare tiny --devices flex,ndarray --steps 4 --only parity,accuracy \
                     --set train.epochs=1 --results out";

const HOME: &str = "out/backends/tiny";

#[test]
fn two_devices_are_compared_and_reported() {
    let bench = Bench::new();
    bench
        .run(QUICK)
        .ends(0)
        .shows("| `plain`   | `ndarray` |     4 |")
        .shows("within rounding")
        .shows("minus flex");
    let report = bench.text(&format!("{HOME}/report.md"));
    assert!(report.contains("**Same steps?** Yes"), "{report}");
    assert!(report.contains("No GPU was measured"), "{report}");
    let figure = bench.text(&format!("{HOME}/parity.svg"));
    assert!(figure.starts_with("<svg"));
    let provenance: Value =
        serde_json::from_str(&bench.text(&format!("{HOME}/provenance.json"))).unwrap();
    assert_eq!(provenance["run"]["device"], "flex,ndarray");
    assert_eq!(provenance["run"]["trained"], 12);

    bench.run("report --check --results out").ends(0);
    bench.write(&format!("{HOME}/report.md"), "changed");
    bench
        .run("report --check --results out")
        .ends(4)
        .says("report.md` is out of date");
    bench.run("report tiny --results out").ends(0);
    assert_eq!(bench.text(&format!("{HOME}/report.md")), report);
}

#[test]
fn second_comparison_reuses_results() {
    let bench = Bench::new();
    let first = bench.run(QUICK).ends(0);
    let before = bench.read(&format!("{HOME}/comparison.json"));
    let again = bench.run(QUICK).ends(0);
    assert_eq!(first.out, again.out);
    assert_eq!(bench.read(&format!("{HOME}/comparison.json")), before);
    assert!(!again.err.contains("job 1"), "{}", again.err);
    let parity = QUICK.replace("parity,accuracy", "parity");
    bench.run(&parity).ends(0).shows("minus flex");
    assert_eq!(bench.read(&format!("{HOME}/comparison.json")), before);

    let other = parity + " --set train.batch_size=16";
    let done = bench.run(&other).ends(0);
    let done = done.says("its measurements are not reused");
    assert!(!done.out.contains("minus flex"), "{}", done.out);
}

#[test]
fn json_output_equals_the_saved_file() {
    let bench = Bench::new();
    let json = QUICK.replace("parity,accuracy", "parity") + " --format json";
    let done = bench.run(&json).ends(0);
    assert_eq!(done.out, bench.text(&format!("{HOME}/comparison.json")));
    let comparison: Value = serde_json::from_str(&done.out).unwrap();
    let arm = &comparison["arms"][1];
    assert_eq!(arm["parity"][1]["device"], "ndarray");
    let loss = &arm["parity"][1]["outcome"]["done"]["distances"]["loss"];
    assert_eq!(loss.as_array().unwrap().len(), 4);
}

/// Changes a record as a broken backward kernel would: at step 3 the gradient of the last parameter is
/// off by a hundredth.
fn break_the_record(bench: &Bench) {
    let file = format!("{HOME}/comparison.json");
    let mut record: Value = serde_json::from_str(&bench.text(&file)).unwrap();
    let outcome = &mut record["arms"][1]["parity"][1]["outcome"]["done"];
    let parameters = outcome["distances"]["parameters"].as_array_mut().unwrap();
    let last = parameters.last_mut().unwrap();
    assert_eq!(last["path"], "head.bias");
    last["gradient"][2] = 0.01.into();
    bench.write(&file, record.to_string());
}

#[test]
fn broken_device_ends_with_code_4() {
    let bench = Bench::new();
    bench.run(QUICK).ends(0);
    break_the_record(&bench);
    // This trains nothing and judges the recorded steps.
    let done = bench.run(&QUICK.replace("parity,accuracy", "accuracy"));
    let done = done.ends(4).shows("**deviates** at step 3");
    let error = "error: tiny: `dropout` on `ndarray` deviates from double precision at step 3: the \
     gradient of head.bias differs by 1.0e-2, bound";
    let done = done.says(error);
    assert_eq!(done.err.matches("error: ").count(), 1, "{}", done.err);
    let report = bench.text(&format!("{HOME}/report.md"));
    assert!(
        report.contains("**Same steps?** No: `ndarray` with `dropout` at step 3"),
        "{report}"
    );
    // A new measurement restores the correct steps.
    bench.run(QUICK).ends(0);
}

#[test]
fn one_broken_experiment_does_not_stop_the_next() {
    let bench = Bench::new();
    bench.write("experiments/other.toml", TINY);
    bench.run(QUICK).ends(0);
    break_the_record(&bench);
    let both = QUICK
        .replace("tiny", "tiny other")
        .replace("parity,accuracy", "accuracy");
    let done = bench.run(&both).ends(4).says("error: tiny: `dropout`");
    assert_eq!(done.err.matches("the report is in").count(), 2);
    assert!(bench.path("out/backends/other/report.md").exists());
}

#[test]
fn bad_arguments_are_explained() {
    let bench = Bench::new();
    bench.write("experiments/other.toml", TINY);
    let error = |arguments: &str, code: i32, text: &str| {
        bench.run(arguments).ends(code).says(text).with_one_error();
    };
    error("compare tiny --devices gpu", 2, "unknown device `gpu`");
    error(
        "compare tiny --devices flex,flex",
        2,
        "device `flex` is named twice",
    );
    bench
        .run("compare tiny --margin 0")
        .ends(2)
        .says("must be above 0");
    bench
        .run("compare tiny --longest-step 0")
        .ends(2)
        .says("must be above 0");
    bench
        .run("compare tiny --only steps")
        .ends(2)
        .says("parity");
    if !cfg!(feature = "cuda") {
        error(
            "compare tiny --devices flex,cuda",
            5,
            "device `cuda` is not built in",
        );
    }
}
