//! The rules between the parts of the project, checked by reading their sources.
//!
//! `rules` holds each rule as a function from sources to violations. Here they are applied to the
//! project, and `mutations` shows that each of them can fail.

#[path = "../../src/provenance/fingerprint.rs"]
mod fingerprint;
mod graph;
mod mutations;
mod rules;
mod source;

use source::{Source, root, sources};

const NONE: [&str; 0] = [];

/// Source folders of the crates under `models/`.
const MODELS: [&str; 3] = ["models/src", "models/kernels/src", "models/streams/src"];

/// The sources of the suite. It uses the modules of the crate for training by their names there.
fn src() -> Vec<Source> {
    [sources("src"), sources("src/training/src")].concat()
}

fn models() -> Vec<Source> {
    MODELS.iter().flat_map(|folder| sources(folder)).collect()
}

/// The sources that the fingerprint covers.
fn hashed() -> Vec<Source> {
    let names = fingerprint::hashed(root()).expect("sources can be read");
    let names = names.into_iter().filter(|name| name.ends_with(".rs"));
    let read = |name: String| {
        let text = std::fs::read_to_string(root().join(&name)).expect("sources are text");
        Source::new(&name, &text)
    };
    names.map(read).collect()
}

#[test]
fn modules_of_the_suite_have_no_cycles() {
    assert_eq!(rules::module_cycles(&src()), NONE);
}

#[test]
fn hashed_code_uses_only_hashed_code() {
    let hashed = hashed();
    assert!(hashed.len() > 100, "{} files are hashed", hashed.len());
    assert_eq!(rules::unhashed_uses(&hashed), NONE);
}

#[test]
fn test_fixtures_are_not_hashed() {
    let of_tests = |s: &Source| s.name.ends_with("tests.rs") || s.name.contains("fixture");
    let found: Vec<String> = hashed()
        .into_iter()
        .filter(of_tests)
        .map(|s| s.name)
        .collect();
    assert_eq!(found, NONE);
}

#[test]
fn comparing_devices_has_one_home() {
    assert_eq!(rules::second_homes_of_comparison(&src()), NONE);
}

#[test]
fn models_have_no_side_effects() {
    assert_eq!(rules::model_side_effects(&models()), NONE);
}

#[test]
fn models_do_not_know_the_suite() {
    assert_eq!(rules::suite_in_models(&models()), NONE);
}

#[test]
fn burn_is_used_by_training_devices_data_and_their_comparison() {
    assert_eq!(rules::burn_elsewhere(&src()), NONE);
}

#[test]
fn statistics_use_only_themselves_and_streams() {
    assert_eq!(rules::impure_statistics(&src()), NONE);
}

#[test]
fn reports_and_figures_never_train() {
    assert_eq!(rules::reports_that_train(&src()), NONE);
}

#[test]
fn only_the_program_uses_the_command_line() {
    assert_eq!(rules::command_line_elsewhere(&src()), NONE);
}

#[test]
fn only_the_command_line_prints() {
    assert_eq!(rules::printing_elsewhere(&src()), NONE);
}

#[test]
fn only_figures_use_plotters() {
    assert_eq!(rules::plotters_elsewhere(&src()), NONE);
}

#[test]
fn processes_start_in_few_modules() {
    assert_eq!(rules::processes_elsewhere(&src()), NONE);
}

#[test]
fn programs_know_recipes_and_records_only() {
    assert_eq!(rules::suite_in_programs(&src()), NONE);
}

#[test]
fn no_file_is_long() {
    assert_eq!(rules::long_files(&[src(), models()].concat()), NONE);
}

#[test]
fn files_of_each_model_crate_have_no_cycles() {
    let cycles = |folder: &&str| rules::file_cycles(&sources(folder));
    let found: Vec<String> = MODELS.iter().flat_map(cycles).collect();
    assert_eq!(found, NONE);
}
