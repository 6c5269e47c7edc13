//! `ablate compare`.

use crate::bench::{Bench, TINY};
use serde_json::Value;

/// Both CPU devices, as little as can be.
const QUICK: &str = "compare tiny --devices flex,ndarray --steps 4 --only parity,accuracy \
                     --set train.epochs=1 --results out";

const HOME: &str = "out/backends/tiny";

#[test]
fn two_devices_are_compared_and_everything_is_derived_from_one_file() {
    let bench = Bench::new();
    bench
        .run(QUICK)
        .ends(0)
        .shows("| `plain`   | `ndarray` |     4 |")
        .shows("within rounding")
        .shows("minus flex");
    let report = bench.text(&format!("{HOME}/report.md"));
    assert!(report.contains("**The same steps?** Yes"), "{report}");
    assert!(report.contains("No GPU took part"), "{report}");
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
        .says("report.md` is not what the records give");
    bench.run("report tiny --results out").ends(0);
    assert_eq!(bench.text(&format!("{HOME}/report.md")), report);
}

#[test]
fn a_second_comparison_trains_nothing_and_a_part_alone_keeps_the_others() {
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
}

#[test]
fn the_comparison_is_printed_as_it_is_kept() {
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

#[test]
fn bad_arguments_name_what_is_wrong() {
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
    error("compare all --devices flex", 2, "experiments are named");
    bench
        .run("compare tiny --margin 0")
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
