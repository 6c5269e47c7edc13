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
fn a_software_adapter_is_called_that_in_every_row_of_every_table() {
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
    assert!(page.contains("No GPU took part"), "{page}");
}

#[test]
fn healthy_devices_of_equal_accuracy_get_two_times_yes() {
    let page = page_of(&comparison(10, 0.0));
    assert!(page.contains("**The same steps?** Yes"), "{page}");
    assert!(page.contains("**The same accuracy?** Yes"), "{page}");
    assert!(
        page.contains("**equivalent**, equal at every seed"),
        "{page}"
    );
    assert!(
        page.contains("adds in another order") || page.contains("add in another order"),
        "{page}"
    );
}

#[test]
fn a_break_is_told_by_layer_and_step_and_where_the_forward_pass_goes_astray() {
    let mut comparison = comparison(10, 0.0);
    let parity = parity_of(&mut comparison, 1);
    parity.distances.parameters[2].gradient[6] = 0.5;
    let page = page_of(&comparison);
    assert!(
        page.contains("**The same steps?** No: `wgpu` (software adapter) with `a` at step 7"),
        "{page}"
    );
    assert!(
        page.contains("the gradient of `head.weight` is off by 0.500"),
        "{page}"
    );

    let parity = parity_of(&mut comparison, 1);
    parity.distances.loss[3] = 0.25;
    parity.forward = Some(ForwardDeviation {
        step: 4,
        place: Some(ValueDeviation {
            path: "blocks.0".into(),
            point: "the output".into(),
            distance: 0.1,
            bound: 1e-6,
        }),
    });
    let page = page_of(&comparison);
    assert!(
        page.contains("at step 4: the loss is off by 0.250"),
        "{page}"
    );
    assert!(
        page.contains("the first thing astray is the output of `blocks.0`"),
        "{page}"
    );
}

#[test]
fn a_gradient_of_nothing_is_left_out_of_the_table_and_explained() {
    let mut comparison = comparison(10, 0.0);
    let yardstick = comparison.arms[0].yardstick.as_mut().unwrap();
    yardstick.gradients[1] = 1e-17;
    yardstick.largest.parameters[1].gradient.fill(1e8);
    parity_of(&mut comparison, 1).distances.parameters[1]
        .gradient
        .fill(2e8);
    let page = page_of(&comparison);
    assert!(
        page.contains("the gradient of `blocks.0.linear.bias` is zero in theory"),
        "{page}"
    );
    assert!(page.contains("Adam divides it by its own size"), "{page}");
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
fn ten_bits_on_cuda_are_told_from_a_broken_kernel() {
    let mut comparison = comparison(10, 0.0);
    parity_of(&mut comparison, 1).distances.loss[0] = 4e-4;
    assert!(!page_of(&comparison).contains("TF32"));
    comparison.devices[1].backend = "cuda".into();
    assert!(page_of(&comparison).contains("TF32"));
}

#[test]
fn a_software_adapter_that_leaves_loops_is_told_from_a_broken_kernel() {
    let mut comparison = comparison(10, 0.0);
    comparison.devices[1].adapter = "llvmpipe (LLVM 15.0.6, 256 bits)".into();
    assert!(!page_of(&comparison).contains("leaves the loops"));
    parity_of(&mut comparison, 1).distances.loss[0] = 4e-4;
    assert!(page_of(&comparison).contains("leaves the loops of a shader after 65,535 rounds"));
    comparison.devices[1].adapter = "another".into();
    assert!(!page_of(&comparison).contains("leaves the loops"));
}

#[test]
fn the_targets_are_there_whatever_was_measured() {
    let page = page_of(&comparison(10, 0.0));
    assert!(page.contains("## Targets"), "{page}");
    assert!(
        page.contains("not measured: no arm is convolutional"),
        "{page}"
    );
    assert!(page.contains("not judged: software adapter"), "{page}");
}

#[test]
fn what_failed_stands_in_the_tables_with_its_reason() {
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
fn too_few_seeds_are_undecided_and_say_what_they_could_have_shown() {
    let mut comparison = comparison(3, 0.0);
    let Measured::Done(accuracy) = &mut comparison.arms[0].accuracy[1].outcome else {
        panic!("it was measured");
    };
    accuracy.cells[0].test_accuracy[1] += 0.6;
    let page = page_of(&comparison);
    assert!(
        page.contains("**The same accuracy?** Undecided for 1 of 1 pair"),
        "{page}"
    );
    assert!(
        page.contains("would have been shown with 80 % power"),
        "{page}"
    );
}
