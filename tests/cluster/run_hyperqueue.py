#!/usr/bin/env python3
"""Runs an experiment of 40 cells on a real HyperQueue server with two workers:

    python tests/cluster/run_hyperqueue.py PATH-OF-ABLATE

Needs the Python package `hyperqueue`, which has the server and its workers but not the command `hq`. So `ablate submit`
finds a command `hq` here that hands what it is asked for to the server through the package. One cell fails.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import hyperqueue
from hyperqueue.cluster import LocalCluster, WorkerConfig

HERE = Path(__file__).resolve().parent
FILES = ["runs.jsonl", "summary.json", "report.md", "spec.resolved.toml"]
# Writes down what it was asked for, and answers as `hq submit --output-mode=json` does.
HQ = """#!/usr/bin/env python3
import json, os, sys
json.dump(sys.argv[1:], open(os.environ["ASKED"], "w"))
print(json.dumps({"id": 1}))
"""


def main() -> None:
    ablate = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name in ["experiment.toml", "program.sh"]:
            (work / name).write_text((HERE / name).read_text())
        (work / "bin").mkdir()
        (work / "bin/hq").write_text(HQ)
        (work / "bin/hq").chmod(0o755)
        environment = dict(os.environ, ASKED=str(work / "asked.json"), PATH=f"{work / 'bin'}:{os.environ['PATH']}")

        def run(*arguments: str, code: int = 0) -> str:
            done = subprocess.run([ablate, *arguments], cwd=work, env=environment, text=True, capture_output=True)
            assert done.returncode == code, (arguments, done)
            return done.stdout

        run("run", "-q", "experiment.toml", "--results", "alone", code=3)
        run("submit", "hyperqueue", "experiment.toml", "--results", "many", "--cells-per-task", "4", "--cpus", "1")
        asked = json.loads((work / "asked.json").read_text())
        options, command = asked[: asked.index("--")], asked[asked.index("--") + 1 :]
        entries = json.loads(Path(options[options.index("--from-json") + 1]).read_text())
        assert entries == [4] * 10, entries

        with LocalCluster(str(work / "server")) as cluster:
            for _ in range(2):
                cluster.start_worker(WorkerConfig(cores=1))
            client = cluster.client()
            job = hyperqueue.Job(max_fails=None, default_workdir=options[options.index("--cwd") + 1])
            for number in range(len(entries)):
                job.program(command, name=str(number))
            submitted = client.submit(job)
            # The task with the cell that fails ends with exit code 3.
            assert not client.wait_for_jobs([submitted], raise_on_error=False)
            failed = client.get_failed_tasks(submitted)
            assert len(failed) == 1 and "3" in str(list(failed.values())[0].error), failed

        print(run("report", "experiment.toml", "--results", "many"), end="")
        for name in FILES:
            alone = (work / "alone/experiment" / name).read_text().replace("alone", "many")
            assert alone == (work / "many/experiment" / name).read_text(), name
        print("HyperQueue: same records and report as one process")


if __name__ == "__main__":
    main()
