//! The largest experiments that the documentation allows, and the smallest that it does not.

use super::{BASE, parse};

#[test]
fn most_arms_and_seeds_are_accepted_together() {
    let arms: String = (2..256)
        .map(|i| format!("[[arms]]\nname = \"a{i}\"\nset.train.epochs = {i}\n"))
        .collect();
    let text = BASE.replace("seeds = 4", "seeds = 10_000");
    let spec = parse(&format!("{text}{arms}")).unwrap();
    assert_eq!((spec.arms.len(), spec.seeds.len()), (256, 10_000));
}

#[test]
fn lists_of_seeds_have_the_same_limit() {
    let seeds = |count: usize| {
        let list: Vec<String> = (0..count).map(|seed| (7 * seed).to_string()).collect();
        parse(&BASE.replace("seeds = 4", &format!("seeds = [{}]", list.join(", "))))
    };
    assert_eq!(seeds(10_000).unwrap().seeds.len(), 10_000);
    let error = seeds(10_001).unwrap_err();
    assert_eq!(error.key(), Some("seeds"));
}

#[test]
fn documentation_names_the_limits() {
    let text = include_str!("../../../experiments/README.md");
    for limit in [
        "at most 10,000 seeds",
        "at least 1 arm, at most 256",
        "A file is at most 1 MiB",
        "at most 4 |",
        "in at most 60 characters",
        "at most 24 characters",
    ] {
        assert!(text.contains(limit), "{limit}");
    }
}
