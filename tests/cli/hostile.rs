//! Input that tries to hang the program, to steer the terminal, or is no text.
#![cfg(unix)]

use crate::bench::{Bench, Done, TINY, wait_until};
use std::process::{Command, Stdio};

/// Runs the program, and fails if it does not end.
fn ends_soon(bench: &Bench, arguments: &[&str]) -> Done {
    let mut run = bench.command_of(arguments.iter().copied()).spawn().unwrap();
    let mut ended = false;
    wait_until("the program to end", || {
        ended = run.try_wait().unwrap().is_some();
        ended
    });
    run.wait_with_output().unwrap().into()
}

fn pipe(bench: &Bench, name: &str) {
    bench.write(name, "");
    let path = bench.path(name);
    std::fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn named_pipe_in_place_of_a_file_is_refused() {
    let bench = Bench::new();
    pipe(&bench, "experiments/odd.toml");
    let done = ends_soon(&bench, &["check"]).ends(2);
    done.says("odd.toml")
        .says("a named pipe, not a regular file");
    std::fs::remove_file(bench.path("experiments/odd.toml")).unwrap();

    for name in [
        "runs.jsonl",
        ".cells.jsonl",
        "summary.json",
        ".lock",
        "looks.json",
        "report.md",
    ] {
        bench.run("run tiny -q").ends(0);
        let file = format!("results/tiny/{name}");
        pipe(&bench, &file);
        let done = ends_soon(&bench, &["run", "tiny"]).ends(5);
        done.says(name).says("a named pipe, not a regular file");
        let done = ends_soon(&bench, &["fsck", "results/tiny"]);
        done.ends(4).says(name).says("not a regular file");
        std::fs::remove_file(bench.path(&file)).unwrap();
    }
    pipe(&bench, "scores.csv");
    let judge = ["judge", "scores.csv", "--metric", "score>", "--margin", "1"];
    let done = ends_soon(&bench, &judge).ends(2);
    done.says("scores.csv: it is a named pipe, not a regular file; for a pipe, give `-`");
    let device = ["judge", "/dev/zero", "--metric", "score>", "--margin", "1"];
    ends_soon(&bench, &device).ends(2).says("a device");
}

#[test]
fn control_characters_in_specs_are_errors() {
    let bench = Bench::new();
    for (from, to, key) in [
        ("title = \"Tiny\"", "title = \"Ti\\u001b[31mny\"", "title"),
        (
            "name = \"plain\"",
            "name = \"plain\"\nlabel = \"\\u009b2J\"",
            "label",
        ),
        ("note = \"One", "note = \"\\u202eOne", "note"),
    ] {
        bench.change_tiny(from, to);
        let done = bench.run("run tiny").ends(2).with_one_error();
        done.says("experiments/tiny.toml:")
            .says(key)
            .says("control character U+");
    }
    bench.write("experiments/tiny.toml", TINY);
    // Line ends of other systems are no control characters.
    bench.write("experiments/tiny.toml", TINY.replace('\n', "\r\n"));
    bench.run("check tiny").ends(0);
}

#[test]
fn escape_sequences_never_reach_the_terminal() {
    let bench = Bench::new();
    let escape = "\u{1b}[31mred\u{9b}2J";
    let arguments: [&[&str]; 7] = [
        &["run", escape],
        &["run", &format!("{escape}.toml")],
        &[&format!("--{escape}")],
        &["run", "--device", "\u{1b}[2J", "--jobs", "\u{1b}[31mx"],
        &["fsck", escape],
        &["run", "tiny", "--results", "/dev/null/\u{1b}[2J"],
        &["judge", escape, "--metric", "a>", "--margin", "1"],
    ];
    for arguments in arguments {
        let done: Done = bench
            .command_of(arguments.iter().copied())
            .output()
            .unwrap()
            .into();
        assert_ne!(done.code, Some(0), "{done:?}");
        assert!(!done.err.contains(['\u{1b}', '\u{9b}']), "{done:?}");
    }
    let done: Done = bench.command_of(["fsck", escape]).output().unwrap().into();
    done.says("`\\u001b[31mred\\u009b2J`");
    let table = format!("arm,seed,score\n{escape},0,1\n{escape},1,2\nb,0,1\nb,1,3\n");
    bench.write("scores.csv", table);
    let judge = [
        "judge",
        "scores.csv",
        "--metric",
        "score>",
        "--margin",
        "1",
        "--results",
        "out",
    ];
    let done: Done = bench.command_of(judge).output().unwrap().into();
    assert!(!(done.out + &done.err).contains(['\u{1b}', '\u{9b}']));
}

#[test]
fn output_of_a_failed_program_is_recorded_without_escape_sequences() {
    let bench = Bench::new();
    let script = "printf '\\033[31mno luck\\033[0m\\n' >&2; exit 1\n";
    bench.write("train.sh", script);
    let vs = [
        "vs",
        "--arm",
        "a=sh train.sh {seed}",
        "--arm",
        "b=sh train.sh {seed} x",
        "--metric",
        "score>",
        "--margin",
        "1",
        "--seeds",
        "2",
    ];
    let done: Done = bench.command_of(vs).output().unwrap().into();
    assert!(done.err.contains("no luck"), "{done:?}");
    assert!(!(done.out + &done.err).contains('\u{1b}'));
    for (name, bytes) in bench.files("ablate-results") {
        assert!(!bytes.contains(&0x1b), "{name}");
    }
}

#[test]
fn html_in_titles_and_labels_is_text_in_pages() {
    let bench = Bench::new();
    let text = TINY
        .replace("title = \"Tiny\"", "title = \"<script>alert(1)</script>\"")
        .replace("name = \"plain\"", "name = \"plain\"\nlabel = \"<b>bold\"");
    bench.write("experiments/tiny.toml", text);
    bench.run("run tiny").ends(0);
    let page = bench.text("results/tiny/report.md");
    assert!(
        page.starts_with("# &lt;script>alert(1)&lt;/script>\n"),
        "{page}"
    );
    assert!(page.contains("&lt;b>bold"), "{page}");
    for page in [page, bench.text("results/README.md")] {
        assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
    }
    bench.run("report --check").ends(0);
    bench.run("fsck").ends(0);
}

#[test]
fn files_that_are_no_text_are_named_with_the_place() {
    let bench = Bench::new();
    let wide: Vec<u8> = TINY.encode_utf16().flat_map(u16::to_le_bytes).collect();
    bench.write("experiments/tiny.toml", [b"\xff\xfe", &wide[..]].concat());
    let done = bench.run("check tiny").ends(2).with_one_error();
    done.says("it is UTF-16 text (little endian, by its first bytes at offset 0), not UTF-8");
    let latin = TINY.replace("Does it", "Does\u{1}it").into_bytes();
    let latin: Vec<u8> = latin
        .into_iter()
        .map(|b| if b == 1 { 0xe9 } else { b })
        .collect();
    let offset = latin.iter().position(|&b| b == 0xe9).unwrap();
    bench.write("experiments/tiny.toml", latin);
    let done = bench.run("check tiny").ends(2).with_one_error();
    done.says(&format!("byte 0xe9 at offset {offset} (line 3)"));

    bench.write("scores.csv", b"arm,seed,score\na,0,\xff\n");
    let judge = "judge scores.csv --metric score> --margin 1";
    bench
        .run(judge)
        .ends(2)
        .says("scores.csv: it is not UTF-8 text: byte 0xff at offset 19 (line 2)");
    bench.write("scores.csv", b"\xfe\xff\0a\0r\0m");
    bench.run(judge).ends(2).says("UTF-16 text (big endian");
    let mut piped = bench.command("judge - --metric score> --margin 1");
    let mut piped = piped.stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut piped.stdin.take().unwrap(), b"arm\xff").unwrap();
    let done: Done = piped.wait_with_output().unwrap().into();
    done.ends(2)
        .says("standard input: it is not UTF-8 text: byte 0xff at offset 3");
}
