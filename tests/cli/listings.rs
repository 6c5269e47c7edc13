//! Commands that train nothing: `plan`, `list`, `check`, `models`, `devices`, `completions`.

use crate::bench::Bench;
use serde_json::Value;

fn json(bench: &Bench, arguments: &str) -> Value {
    let done = bench.run(arguments).ends(0);
    serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{arguments}: {e}: {}", done.out))
}

#[test]
fn plan_prints_missing_cells_time_and_power() {
    let bench = Bench::new();
    let done = bench.run("plan").ends(0);
    let done =
        done.shows("6 cells (2 arms, 3 seeds): 0 recorded in `results`, 6 to train in 2 jobs");
    let done = done
        .shows("can show a difference of ")
        .shows("warning: contrast `dropout-vs-plain` may stay undecided: with 3 seeds")
        .shows("use at least 5 seeds");
    done.shows("total: 6 cells to train, about ");
    assert!(!bench.path("results").exists());

    let plan = &json(&bench, "plan tiny --seeds 20 --format json")[0];
    assert!(plan["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(plan["contrasts"][0]["source"], "expected");
    assert!(plan["contrasts"][0]["difference"].as_f64().unwrap() > 0.1);

    bench.run("run tiny -q").ends(0);
    let plan = &json(&bench, "plan tiny --format json --no-time")[0];
    assert_eq!(
        (&plan["recorded"], &plan["to_train"]),
        (&6.into(), &0.into())
    );
    assert_eq!(plan["contrasts"][0]["source"], "recorded");
    assert_eq!(plan["seconds"], Value::Null);

    std::fs::remove_file(bench.path("results/tiny/.cells.jsonl")).unwrap();
    let done = bench.run("plan tiny --no-time").ends(0);
    done.shows("6 cells from `runs.jsonl` will be trained again");
    let done = bench.run("plan tiny --no-time --adopt").ends(0);
    done.shows("0 to train");
}

#[test]
fn list_prints_verdicts() {
    let bench = Bench::new();
    bench.run("list").ends(0).shows("not run");
    bench.run("run tiny -q").ends(0);
    let row = &json(&bench, "list --format json")[0];
    assert_eq!(row["cells"], 6);
    assert_eq!(row["verdict"], "undecided");
    bench.run("list").ends(0).shows("standard,quick");
}

#[test]
fn check_passes_valid_experiments() {
    let bench = Bench::new();
    let done = bench.run("check").ends(0);
    done.shows("ok experiments/tiny.toml: 2 arms, 1 contrast, 6 cells");
}

#[test]
fn shown_presets_are_valid_model_tables() {
    let bench = Bench::new();
    let rows = json(&bench, "models list --format json");
    for row in rows.as_array().unwrap() {
        let name = row["name"].as_str().unwrap();
        assert!(row["parameters"].as_u64().unwrap() > 0);
        bench.run("models list").ends(0).shows(name);
        let shown = bench.run(&format!("models show {name}")).ends(0);
        let data = match row["input"][0].as_u64() {
            Some(8) => "digits",
            _ => "mnist",
        };
        let (head, rest) = crate::bench::TINY.split_once("[model]").unwrap();
        let (_, tail) = rest.split_once("[train]").unwrap();
        let (tail, _) = tail.split_once("[[arms]]\nname = \"dropout\"").unwrap();
        let head = head.replace("digits", data);
        bench.write("shown.toml", format!("{head}{}\n[train]{tail}", shown.out));
        bench.run("check shown.toml").ends(0);
        let model = &json(&bench, &format!("models show {name} --format json"))["model"];
        assert!(model["kind"].is_string());
    }
    for wrong in ["models show lstm", "models list lstm*"] {
        let done = bench.run(wrong).ends(2).with_one_error();
        done.says("unknown preset `lstm")
            .says("choose one of `linear`");
    }
}

#[test]
fn models_are_listed_by_glob_and_shown_with_layers() {
    let bench = Bench::new();
    let rows = json(&bench, "models list *mnist* --format json");
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 6);
    for row in rows {
        assert!(row["source"].as_str().unwrap().contains("section"), "{row}");
        let shown = json(
            &bench,
            &format!(
                "models show {} --format json",
                row["name"].as_str().unwrap()
            ),
        );
        let sum = |key: &str| -> u64 {
            let layers = shown["layers"].as_array().unwrap().iter();
            layers.map(|layer| layer[key].as_u64().unwrap()).sum()
        };
        assert_eq!(sum("parameters"), row["parameters"].as_u64().unwrap());
        assert_eq!(sum("multiply_adds"), row["multiply_adds"].as_u64().unwrap());
    }
    let csv = bench.run("models list linear --format csv").ends(0).out;
    assert!(csv.starts_with("name,about,source,input,"), "{csv}");
    assert_eq!(csv.lines().count(), 2);
    let code = bench.run("models show linear --python").ends(0).out;
    assert!(code.contains("    nn.Linear(64, 10),  # 1\n"), "{code}");
}

#[test]
fn devices_advise_how_to_build_missing_ones() {
    let bench = Bench::new();
    let rows = json(&bench, "devices --format json");
    let text = bench.run("devices").ends(0).out;
    for row in rows.as_array().unwrap() {
        let name = row["name"].as_str().unwrap();
        let line = format!("{name} ");
        let line = text.lines().find(|l| l.starts_with(&line)).unwrap();
        let (backend, _) = name.split_once(':').unwrap_or((name, ""));
        let built = ablate::device::built_in().contains(&backend);
        assert_eq!(row["built_in"], built);
        assert_eq!(
            line.contains(&format!("--features {backend}")),
            !built,
            "{line}"
        );
        let present = row["present"].as_bool().unwrap();
        assert_eq!(row["device"]["name"] == *name, present, "{row}");
        assert_eq!(row["advice"].is_null(), present, "{row}");
    }
    let named = |name: &str| rows.as_array().unwrap().iter().any(|r| r["name"] == name);
    for name in ablate::device::NAMES {
        assert!(named(name), "{name}");
    }
    assert!(text.starts_with("flex  "), "{text}");
    assert!(text.contains("the default: "), "{text}");
}

#[test]
fn completions_cover_every_shell() {
    let bench = Bench::new();
    bench
        .run("completions bash")
        .ends(0)
        .shows("complete -F _ablate");
    bench
        .run("completions zsh")
        .ends(0)
        .shows("#compdef ablate");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = bench.run(&format!("completions {shell}")).ends(0).out;
        assert!(script.contains("completions") && script.contains("isolate"));
        assert!(script.contains("quiet") && script.contains("version"));
        assert!(!script.contains("serve"), "{shell}");
    }
    bench.run("completions tcsh").ends(2);
}

#[test]
fn help_and_version_go_to_standard_output() {
    let bench = Bench::new();
    let help = bench.run("--help").ends(0).shows("Exit codes:");
    assert_eq!(help.err, "");
    let version = bench.run("--version").ends(0);
    version.shows(&format!("ablate {} (features: ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn lists_and_plans_come_as_tables() {
    let bench = Bench::new();
    let list = bench.run("list --format csv").ends(0);
    let mut lines = list.out.lines();
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("name,folder,changed_by,claim,suites")
    );
    let row = lines.next().unwrap();
    assert!(
        row.starts_with("tiny,") && row.contains(",standard quick,2,3,6,0,"),
        "{row}"
    );
    bench
        .run("list --format markdown")
        .ends(0)
        .shows("| tiny | -     | standard,quick |");
    let plan = bench.run("plan tiny --no-time --format csv").ends(0);
    assert_eq!(plan.out.lines().nth(1), Some("tiny,Tiny,2,3,6,0,0,6,2,"));
    let plan = bench.run("plan tiny --no-time --format markdown").ends(0);
    plan.shows("| tiny ").shows("| to train |");
}
