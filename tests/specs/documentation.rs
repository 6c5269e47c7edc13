//! The documentation: its examples are sound experiments, its lists are complete, its links lead
//! somewhere.

use crate::{read, root};
use ablate::data;
use ablate::plan::warnings;
use ablate::spec::Spec;
use std::path::Path;

/// The `toml` blocks of a Markdown page that are whole experiments.
fn examples(page: &str) -> Vec<String> {
    let text = read(page);
    let blocks = text.split("```toml\n").skip(1);
    let blocks = blocks.filter_map(|rest| Some(rest.split_once("\n```")?.0.to_owned()));
    // Shortened examples have no title.
    blocks
        .filter(|block| block.contains("[[arms]]") && block.contains("title = "))
        .collect()
}

#[test]
fn the_examples_in_the_documentation_are_experiments_without_weaknesses() {
    for page in ["README.md", "experiments/README.md"] {
        let found = examples(page);
        assert!(!found.is_empty(), "{page}");
        for example in found {
            let spec = Spec::parse("example", Path::new(page), &example, &[]);
            let spec = spec.unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(warnings(&spec), [], "{page}");
        }
    }
}

#[test]
fn the_readme_explains_every_exit_code_device_and_data_set() {
    let readme = read("README.md");
    for code in [0, 1, 2, 3, 4, 5, 75] {
        assert!(
            readme.contains(&format!("\n| {code} |")),
            "exit code {code}"
        );
    }
    let devices = ablate::device::NAMES.iter();
    let data = data::all().into_iter().map(|name| name.key());
    for name in devices.copied().chain(data) {
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_readme_has_room_for_the_table_of_results() {
    let readme = read("README.md");
    let with = ablate::report::splice(&readme, "results", "| generated |").unwrap();
    assert!(with.contains("| generated |"));
}

/// Results come and go with runs; everything else that a page links to is there.
#[test]
fn links_in_the_documentation_lead_somewhere() {
    for page in [
        "README.md",
        "experiments/README.md",
        "experiments/METHODOLOGY.md",
    ] {
        let folder = root().join(page).parent().unwrap().to_owned();
        for rest in read(page).split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap();
            if !target.starts_with("http") && !target.starts_with("results/") {
                assert!(folder.join(target).exists(), "{page}: {target}");
            }
        }
    }
}
