//! New experiment files and folders.

use crate::bench::Bench;

#[test]
fn every_new_file_passes_the_check() {
    let bench = Bench::new();
    for kind in ["experiment", "program"] {
        let done = bench
            .run(&format!("new studies/my-{kind} --from {kind}"))
            .ends(0);
        let done = done.shows(&format!("wrote studies/my-{kind}.toml"));
        done.says(&format!("`ablate run studies/my-{kind}.toml`"));
        let text = bench.text(&format!("studies/my-{kind}.toml"));
        assert!(!text.contains("FILE") && !text.contains("SCRIPT"), "{text}");
        let file = format!("studies/my-{kind}.toml");
        bench
            .run(&format!("check {file}"))
            .ends(0)
            .shows("2 arms, 1 contrast");
        bench.run(&format!("plan {file} --no-time")).ends(0);
    }
    bench.run("new mine").ends(0);
    bench.run("check ./mine.toml").ends(0);
}

#[cfg(unix)]
#[test]
fn new_program_runs_as_written() {
    let bench = Bench::new();
    bench
        .run("new mine --from program")
        .ends(0)
        .shows("wrote mine.py");
    let done = bench.run("run ./mine.toml --results out").ends(0);
    done.shows("supported: change against baseline")
        .says("trained 20 cells");
}

#[test]
fn nothing_is_overwritten() {
    let bench = Bench::new();
    bench.write("mine.py", "mine");
    let done = bench
        .run("new mine --from program")
        .ends(2)
        .with_one_error();
    done.says("`mine.py` exists already, and nothing is overwritten");
    assert!(!bench.path("mine.toml").exists());
    bench.run("new mine").ends(0);
    bench.run("new mine").ends(2).with_one_error();
    assert_eq!(bench.text("mine.py"), "mine");
    let done = bench.run("new Mine").ends(2).with_one_error();
    done.says("lower-case letters, digits and `-`");
}

#[test]
fn new_folder_holds_the_standard_suite() {
    let bench = Bench::new();
    bench.run("init study").ends(0).shows("wrote 10 files");
    let done = bench
        .run("plan --experiments study/experiments --no-time")
        .ends(0);
    done.shows("bn-position-cnn").shows("dropout");
    let done = bench
        .run("run smoke --experiments study/experiments --results out")
        .ends(0);
    done.says("trained");
    let done = bench.run("init study").ends(2).with_one_error();
    done.says("`study/experiments/smoke.toml`")
        .says("exist already");
}
