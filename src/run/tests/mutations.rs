//! No change of a file of records makes a reader panic, or gives a record that was not written.

use super::*;
use crate::files::mutation::mutations;

/// Number of changed files.
const CASES: usize = 2_000;

#[test]
fn changed_runs_and_journals_give_only_written_records() {
    let (bench, plan) = (TestRun::new(), Plan::new(&spec(&["a"], 3), "flex", 1, "f"));
    bench.run(&plan, &FakeTrainer::new());
    let good = bench.bytes(runs::NAME);
    let written = read_runs(&bench.path(runs::NAME)).unwrap().records;
    for (case, bytes) in mutations(&good, CASES, "records").enumerate() {
        fs::write(bench.path(runs::NAME), &bytes).unwrap();
        fs::write(bench.path(journal::NAME), &bytes).unwrap();
        let found = runs::read_planned(&bench.path(runs::NAME), |_| Cow::Borrowed(&plan)).unwrap();
        assert!(
            found.records.iter().all(|record| written.contains(record)),
            "case {case}"
        );
        let lost = written.len() > found.records.len();
        let said = !found.damaged.is_empty() || found.notice.is_some();
        // Whole lines may be cut out without a trace in the file; the plan misses them.
        let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
        assert!(!lost || said || lines < written.len(), "case {case}");
        let journal = journal::inspect(&bench.path(""), &plan).unwrap();
        assert!(
            journal
                .records
                .values()
                .all(|record| written.contains(record)),
            "case {case}"
        );
    }
}
