use super::*;
use crate::compare::results::fixture::comparison;
use crate::compare::results::{ForwardDeviation, Measured, Parity, ValueDeviation};

fn parity_of(comparison: &mut DeviceComparison, device: usize) -> &mut Parity {
    match &mut comparison.arms[0].parity[device].outcome {
        Measured::Done(parity) => parity,
        Measured::Failed { .. } => panic!("it was measured"),
    }
}

fn page_of(comparison: &DeviceComparison) -> String {
    let files = derive(comparison).unwrap();
    assert_eq!(files.len(), 2);
    files[0].1.clone()
}

#[test]
fn software_adapter_is_marked_in_every_row() {
    let page = page_of(&comparison(10, 0.0));
    let rows: Vec<&str> = page
        .lines()
        .filter(|l| l.starts_with('|') && l.contains("`wgpu`"))
        .collect();
    assert_eq!(rows.len(), 4, "{page}");
    assert!(
        rows.iter()
            .all(|row| row.contains("`wgpu` (software adapter)")),
        "{page}"
    );
    assert!(page.contains("No GPU was measured"), "{page}");
}

#[test]
fn correct_devices_get_two_yes_answers() {
    let page = page_of(&comparison(10, 0.0));
    assert!(page.contains("**Same steps?** Yes"), "{page}");
    assert!(page.contains("**Same accuracy?** Yes"), "{page}");
    assert!(
        page.contains("**equivalent**, equal for every seed"),
        "{page}"
    );
    assert!(page.contains("add in a different order"), "{page}");
}

#[test]
fn violation_names_layer_step_and_block() {
    let mut comparison = comparison(10, 0.0);
    let parity = parity_of(&mut comparison, 1);
    parity.distances.parameters[2].gradient[6] = 0.5;
    let page = page_of(&comparison);
    assert!(
        page.contains("**Same steps?** No: `wgpu` (software adapter) with `a` at step 7"),
        "{page}"
    );
    assert!(
        page.contains("the gradient of `head.weight` differs by 0.500"),
        "{page}"
    );

    let parity = parity_of(&mut comparison, 1);
    parity.distances.loss[3] = 0.25;
    parity.forward = Some(ForwardDeviation {
        step: 4,
        value: Some(ValueDeviation {
            path: "blocks.0".into(),
            point: "output".into(),
            distance: 0.1,
            bound: 1e-6,
        }),
    });
    let page = page_of(&comparison);
    assert!(
        page.contains("at step 4: the loss differs by 0.250"),
        "{page}"
    );
    assert!(
        page.contains("the first deviation is the output of `blocks.0`"),
        "{page}"
    );
}

#[test]
fn zero_gradient_is_excluded_and_explained() {
    let mut comparison = comparison(10, 0.0);
    let baseline = comparison.arms[0].baseline.as_mut().unwrap();
    baseline.gradients[1] = 1e-17;
    baseline.largest.parameters[1].gradient.fill(1e8);
    parity_of(&mut comparison, 1).distances.parameters[1]
        .gradient
        .fill(2e8);
    let page = page_of(&comparison);
    assert!(
        page.contains("the gradient of `blocks.0.linear.bias` is zero in theory"),
        "{page}"
    );
    assert!(page.contains("Adam normalizes it"), "{page}");
    let row = page
        .lines()
        .find(|l| l.starts_with("| `a`") && l.contains("`wgpu`"))
        .unwrap();
    assert!(
        !row.contains("e8") && row.contains("within rounding"),
        "{row}"
    );
}

#[test]
fn tf32_on_cuda_is_explained() {
    let mut comparison = comparison(10, 0.0);
    parity_of(&mut comparison, 1).distances.loss[0] = 4e-4;
    assert!(!page_of(&comparison).contains("TF32"));
    comparison.devices[1].backend = "cuda".into();
    assert!(page_of(&comparison).contains("TF32"));
}

#[test]
fn llvmpipe_loop_limit_is_explained() {
    let mut comparison = comparison(10, 0.0);
    comparison.devices[1].adapter = "llvmpipe (LLVM 15.0.6, 256 bits)".into();
    assert!(!page_of(&comparison).contains("silently stops loops"));
    parity_of(&mut comparison, 1).distances.loss[0] = 4e-4;
    assert!(
        page_of(&comparison).contains("silently stops loops of a shader after 65,535 iterations")
    );
    comparison.devices[1].adapter = "another".into();
    assert!(!page_of(&comparison).contains("silently stops loops"));
}

#[test]
fn targets_are_always_shown() {
    let page = page_of(&comparison(10, 0.0));
    assert!(page.contains("## Targets"), "{page}");
    assert!(
        page.contains("not measured: no arm is convolutional"),
        "{page}"
    );
    assert!(page.contains("not judged: software adapter"), "{page}");
}

#[test]
fn failures_are_in_the_tables() {
    let mut comparison = comparison(10, 0.0);
    let error = "the device was lost".to_owned();
    comparison.arms[0].parity[1].outcome = Measured::Failed {
        error: error.clone(),
    };
    comparison.arms[0].accuracy[1].outcome = Measured::Failed { error };
    let page = page_of(&comparison);
    assert_eq!(
        page.matches("**failed**: the device was lost").count(),
        2,
        "{page}"
    );
}

#[test]
fn too_few_seeds_show_the_detectable_margin() {
    let mut comparison = comparison(3, 0.0);
    let Measured::Done(accuracy) = &mut comparison.arms[0].accuracy[1].outcome else {
        panic!("it was measured");
    };
    accuracy.cells[0].test_accuracy[1] += 0.6;
    let page = page_of(&comparison);
    assert!(
        page.contains("**Same accuracy?** Undecided for 1 of 1 pair"),
        "{page}"
    );
    assert!(page.contains("would be detected with 80 % power"), "{page}");
}
