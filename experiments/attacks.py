"""Attacks and faults, tried on the command line as a stranger's files and a bad day bring them; for `make attack`.

Each is planted in a folder of its own. Nothing that is planted does harm: code that ran would leave a mark. A table
says how each ended, in how many seconds, and with how much memory of the process that was called. Linux and macOS.

    python experiments/attacks.py [PART OF A NAME]
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import gzip
import hashlib
import json
import marshal
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

COMPARE = "grubench compare --epochs 1 --units 4 --lookback 12 --stride 16 --seeds 1 --output runs"
OWN = f"{COMPARE} --csv own.csv --target v"
MARK = "MARK"
MODULES = (
    *(
        "numpy",
        "pandas",
        "keras",
        "tensorflow",
        "h5py",
        "msgspec",
        "filelock",
        "llvmlite",
        "rich",
        "typer",
        "matplotlib",
    ),
    *("socket", "typing", "json", "pickle", "struct", "tempfile", "signal", "random", "queue", "selectors", "pkgutil"),
)
REFUSED = (1, 2)
# Attacks that are tried at the same time.
AT_A_TIME = 2
# The seconds and the MB of a command that refuses, and of one that loads Keras or trains.
LIGHT, HEAVY = (10.0, 650.0), (60.0, 1200.0)


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What is tried.

    Attributes:
        name: What it is.
        plant: Makes its files in the current folder.
        command: A line of the shell.
        codes: The exit codes that are right.
        says: What the output must hold.
        limits: The seconds and the MB that it may take.
    """

    name: str
    plant: Callable[[], object]
    command: str
    codes: tuple[int, ...]
    says: str
    limits: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How it ended.

    Attributes:
        fault: What was wrong with that; empty where nothing was.
        code: The exit code.
        seconds: How long it took.
        peak_mb: The most memory of a process that was waited for.
        output: What it printed.
    """

    fault: str
    code: int
    seconds: float
    peak_mb: float
    output: str


ATTACKS: list[Attack] = []


def attack(
    name: str,
    command: str,
    *,
    codes: tuple[int, ...] = REFUSED,
    says: str = "grubench:",
    limits: tuple[float, float] = LIGHT,
) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Register an attack by the function that plants it."""

    def register(plant: Callable[[], object]) -> Callable[[], object]:
        ATTACKS.append(Attack(name=name, plant=plant, command=command, codes=codes, says=says, limits=limits))
        return plant

    return register


def write_table(path: Path = Path("own.csv"), rows: int = 200, head: str = "v") -> None:
    """A table of one column."""
    path.write_text(head + "\n" + "".join(f"{number % 17 + number / 100}\n" for number in range(rows)))


def write_zip(path: Path, content: bytes) -> None:
    """A packed file with one in it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("own.csv", content)


def reuse_runs() -> None:
    """The runs of a finished comparison, so that the same command need not train them."""
    shutil.copytree(Path(os.environ["ATTACK_RUNS"]), "runs")
    shutil.rmtree(next(Path("runs").glob("*compare*")))


def copy_runs(root: Path = Path("runs")) -> list[Path]:
    """Copies of a finished comparison's runs, and the folder of the comparison last."""
    shutil.copytree(Path(os.environ["ATTACK_RUNS"]), root)
    runs = sorted(root.glob("2*"), key=lambda path: "compare" in path.name)
    shutil.move(runs[-1], root / "comparison")
    for number, run in enumerate(runs[:-1]):
        shutil.move(run, root / f"run{number}")
    record = json.loads((root / "comparison" / "comparison.json").read_text())
    for number, arm in enumerate(record["arms"]):
        arm["runs"] = [f"run{number}"]
    (root / "comparison" / "comparison.json").write_text(json.dumps(record))
    return [*(root / f"run{number}" for number in range(len(runs) - 1)), root / "comparison"]


def edit_json(path: Path, change: Callable[[dict], object]) -> None:
    """Change what a JSON file holds."""
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))


def replace_weights(model: Path, content: bytes, *, config: Callable[[dict], object] | None = None) -> None:
    """A model file with other weights, and perhaps another configuration."""
    with zipfile.ZipFile(model) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if content:
        parts["model.weights.h5"] = content
    if config:
        tree = json.loads(parts["config.json"])
        config(tree)
        parts["config.json"] = json.dumps(tree).encode()
    with zipfile.ZipFile(model, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)


def plant_modules() -> None:
    """Files that are named as modules, and leave a mark where they run."""
    for name in MODULES:
        Path(f"{name}.py").write_text(f"open({str(Path.cwd() / MARK)!r}, 'w').close()\n")


def plant_kernels(change: Callable[[bytes], bytes]) -> None:
    """A cache of compiled kernels whose checksums are right and whose code is not."""
    with contextlib.chdir(tempfile.gettempdir()):
        program = (
            "from grubench.kernels.compiler import load_or_compile; from grubench.kernels.processor import *;"
            "[load_or_compile(module, detect_processor()) for module in ('common', 'gru', 'lstm')]"
        )
        cache = Path(os.environ["ATTACK_RUNS"]).parent / "cache"
        subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | {"XDG_CACHE_HOME": str(cache)})
    shutil.copytree(cache, "cache")
    for file in Path("cache/grubench/kernels").iterdir():
        code = change(file.read_bytes()[32:])
        file.write_bytes(hashlib.sha256(code).digest() + code)


# Code -----------------------------------------------------------------------------------------------------------------
TRAINS = {"codes": (0,), "says": "Tables, loss.png, forecast.png: ", "limits": HEAVY}
attack("Python modules beside the data", COMPARE, **TRAINS)(plant_modules)
attack("Python modules, --in-process", f"{COMPARE} --in-process", **TRAINS)(plant_modules)


@attack("matplotlibrc that runs LaTeX", COMPARE, **TRAINS)
def _() -> None:
    Path("matplotlibrc").write_text("text.usetex: True\n")


@attack("matplotlibrc that is a pipe", COMPARE, **TRAINS)
def _() -> None:
    os.mkfifo("matplotlibrc")


@attack("a formula as the target's name", f"{COMPARE} --csv own.csv --target '$\\frac{{'", **TRAINS)
def _() -> None:
    write_table(head="$\\frac{")


@attack(
    "a model with code in a Lambda layer",
    "grubench predict runs/run0 --steps 1",
    codes=(0,),
    says="Picture",
    limits=HEAVY,
)
def _() -> None:
    mark = str(Path.cwd() / MARK)
    code = compile(f"lambda x: open({mark!r}, 'w') and x", "", "eval").co_consts[0]
    function = {"code": base64.b64encode(marshal.dumps(code)).decode(), "defaults": None, "closure": None}
    layer = {
        "class_name": "Lambda",
        "module": "keras.layers",
        "config": {"name": "evil", "function": {"class_name": "__lambda__", "config": function}},
    }
    replace_weights(copy_runs()[0] / "model.keras", b"", config=lambda tree: tree["config"]["layers"].insert(1, layer))


@attack(
    "LaTeX commands in a kernel's reason",
    "grubench compare --runs runs/run0 runs/run1 --export a.tex; grep -c '^[^%]*.input' a.tex",
    codes=(1,),
    says="Wrote a.tex",
)
def _() -> None:
    for run in copy_runs()[:2]:
        edit_json(
            run / "environment.json",
            lambda tree: tree["kernels"][0].update(reasons=["x\u2028\\input{/etc/passwd}"]),
        )


@attack(
    "HTML and Markdown in a file's name",
    f"{COMPARE} --csv '<img src=x onerror=alert(1)>|b.csv' --target v --export a.md --report a.html; "
    "grep -c '<img src=x' a.md a.html",
    codes=(1,),
    says="a.md:0",
    limits=HEAVY,
)
def _() -> None:
    write_table(Path("<img src=x onerror=alert(1)>|b.csv"))


@attack(
    "a spreadsheet's command as a series",
    f'{OWN} --series-column s && grubench predict $(ls -d runs/2*gru*) --export p.csv && grep -c "^\'=" p.csv',
    codes=(0,),
    says="Wrote p.csv",
    limits=HEAVY,
)
def _() -> None:
    rows = "".join(f"=1+1,{number % 13}\n" for number in range(200))
    Path("own.csv").write_text(f"s,v\n{rows}")


@attack("escape codes in a run's name", "grubench runs | cat -v", codes=(0,), says="\\x1b")
def _() -> None:
    shutil.move(copy_runs()[0], "runs/\x1b]0;owned\x07")


@attack("a cached kernel of another kind", f"XDG_CACHE_HOME=$PWD/cache {COMPARE}", **TRAINS)
def _() -> None:
    plant_kernels(lambda code: b"\x00" * len(code))


@attack(
    "a cached kernel that kills who loads it",
    f"XDG_CACHE_HOME=$PWD/cache {COMPARE} --jobs 1; XDG_CACHE_HOME=$PWD/cache {COMPARE}",
    **TRAINS,
)
def _() -> None:
    plant_kernels(lambda code: code[: len(code) // 2] + b"\xff" * (len(code) - len(code) // 2))


@attack(
    "a cache that others can write",
    f"XDG_CACHE_HOME=$PWD/cache {COMPARE}; ls -l --time-style=+%Y cache/grubench/kernels | grep -c 1999",
    codes=(0,),
    says="Tables, loss.png, forecast.png: ",
    limits=HEAVY,
)
def _() -> None:
    plant_kernels(lambda code: b"\x00" * len(code))
    Path("cache/grubench/kernels").chmod(0o777)
    for file in Path("cache/grubench/kernels").iterdir():
        os.utime(file, (936e6, 936e6))


# Links ----------------------------------------------------------------------------------------------------------------
@attack(".locks that leads elsewhere", f"{COMPARE}; ls elsewhere | wc -l", codes=(0,), says="0\n")
def _() -> None:
    Path("elsewhere").mkdir()
    Path("runs").mkdir()
    Path("runs/.locks").symlink_to(Path("elsewhere").absolute())


@attack("a run's file that is a link", "grubench predict runs/run0")
def _() -> None:
    file = copy_runs()[0] / "metrics.json"
    file.unlink()
    file.symlink_to("/etc/passwd")


@attack(
    "a picture's place that is a link",
    "grubench predict runs/run0 --steps 2; cat kept",
    codes=(0,),
    says="kept\n",
    limits=HEAVY,
)
def _() -> None:
    Path("kept").write_text("kept\n")
    (copy_runs()[0] / "ahead.png").symlink_to(Path("kept").absolute())


# Size -----------------------------------------------------------------------------------------------------------------
@attack("a model of a few KB that asks for gigabytes", "grubench predict runs/run0 --steps 1", limits=HEAVY)
def _() -> None:
    import h5py

    run = copy_runs()[0]
    with h5py.File("w.h5", "w") as file:
        file.create_dataset("layers/gru/cell/vars/0", (10**5, 10**5), "f4", chunks=True)
    replace_weights(run / "model.keras", Path("w.h5").read_bytes())


@attack(
    "1,000 Dropout layers in a model", "grubench predict runs/run0 --steps 1", codes=(0,), says="Picture", limits=HEAVY
)
def _() -> None:
    layer = {"class_name": "Dropout", "module": "keras.layers", "config": {"rate": 0.5}}
    replace_weights(
        copy_runs()[0] / "model.keras", b"", config=lambda tree: tree["config"]["layers"].extend([layer] * 1000)
    )


@attack("gzip that swells to 2 GB", f"{COMPARE} --csv own.csv.gz --target v", says="too large")
def _() -> None:
    with gzip.open("own.csv.gz", "wb", compresslevel=9) as file:
        file.write(b"v\n")
        for _ in range(2000):
            file.write(b"1\n" * 500_000)


@attack("gzip with 3,000,001 columns behind a quote", f"{COMPARE} --csv own.csv.gz --target v", says="columns")
def _() -> None:
    with gzip.open("own.csv.gz", "wb") as file:
        file.write(b'a"b,"\n"' + b"," * 3_000_000 + b"\n1\n")


@attack("a data row of 300,001 columns", OWN, says="columns")
def _() -> None:
    Path("own.csv").write_text("v\n" + "," * 300_000 + "\n1\n" * 300)


@attack("zip with 3,000,001 columns", f"{COMPARE} --csv own.zip --target v", says="columns")
def _() -> None:
    write_zip(Path("own.zip"), b"v" + b"," * 3_000_000 + b"\n1\n")


@attack(
    "Parquet whose text swells to 40 GB",
    f"{COMPARE} --csv own.parquet --target v --series-column s",
    says="text in memory",
)
def _() -> None:
    import pandas as pd

    names = pd.Categorical.from_codes([0] * 400_000, [f"{'x' * 100_000}"])
    pd.DataFrame({"s": names, "v": range(400_000)}).to_parquet("own.parquet")


@attack(
    "a name with a line end and escape codes",
    f"{COMPARE} --csv $'a\\n\\x1b[2J.csv' --target v",
    says="control characters",
)
def _() -> None:
    write_table(Path("a\n\x1b[2J.csv"))


@attack("a column of 300 letters as a series' name", f"{OWN} --series-column s", says="letters")
def _() -> None:
    Path("own.csv").write_text("s,v\n" + f"{'x' * 300},1\n" * 200)


@attack("a sparse file of 1 TB", OWN, says="too large")
def _() -> None:
    with Path("own.csv").open("wb") as file:
        file.write(b"v\n")
        file.truncate(10**12)


@attack("a pipe as a table", OWN, says="is a pipe")
def _() -> None:
    os.mkfifo("own.csv")


@attack("/dev/zero as a table", f"{COMPARE} --csv /dev/zero --target v", says="is a device")
def _() -> None:
    """Nothing to plant."""


@attack("a file of /proc as a table", f"{COMPARE} --csv /proc/self/pagemap --target v")
def _() -> None:
    """Nothing to plant."""


@attack("/dev/zero as a preset", "grubench train /dev/zero")
def _() -> None:
    """Nothing to plant."""


@attack("a preset of 100,000 layers", "grubench train own.toml")
def _() -> None:
    Path("own.toml").write_text(f"[model]\nlayers = {['gru:1'] * 100_000}\n")


@attack("units that no machine has memory for", f"{COMPARE} --units 900000", says="GB")
def _() -> None:
    """Nothing to plant."""


@attack("a lookback of 10^15", f"{COMPARE} --lookback 1000000000000000")
def _() -> None:
    """Nothing to plant."""


@attack("100,000 threads", f"{COMPARE} --threads 100000", says="threads")
def _() -> None:
    """Nothing to plant."""


@attack("a target named twice", f"{COMPARE} --csv own.csv --target v,v", says="more than once")
def _() -> None:
    write_table()


@attack("a run named twice in a comparison", "grubench report runs/comparison")
def _() -> None:
    folder = copy_runs()[-1]
    edit_json(folder / "comparison.json", lambda tree: tree["arms"][0].update(runs=["run0", "run0"]))


@attack("100,000 arms in a comparison", "grubench report runs/comparison")
def _() -> None:
    def multiply(tree: dict) -> None:
        arm = tree["arms"][0]
        tree["arms"] = [arm | {"name": f"arm{number}"} for number in range(100_000)]

    edit_json(copy_runs()[-1] / "comparison.json", multiply)


@attack("a history of a million epochs", "grubench report runs/comparison")
def _() -> None:
    folders = copy_runs()
    (folders[0] / "history.csv").write_text("epoch,loss,seconds\n" + "1,1,1\n" * 1_000_000)


@attack("a JSON file of deep lists", "grubench predict runs/run0")
def _() -> None:
    (copy_runs()[0] / "metrics.json").write_text("[" * 200_000)


# Nothing is lost ------------------------------------------------------------------------------------------------------
LEFT = "ls runs/*compare*/comparison.json runs/*compare*/loss.png b.csv | wc -l | tr -d ' '"
for title, redirected, code in (
    ("standard output is full", ">/dev/full", 1),
    ("standard output is closed", ">&-", 1),
    ("standard error is closed", "2>&-", 0),
    ("all standard streams are closed", "<&- >&- 2>&-", 1),
    ("the reader goes", "| true", 0),
):
    line = f"( {COMPARE} --export b.csv {redirected} ); code=$?; {LEFT}; exit $code"
    attack(title, line, codes=(code,), says="3\n")(reuse_runs)


@attack(
    "no file may be written",
    "ulimit -f 0; grubench compare --runs runs/run0 runs/run1 --export q.csv --export q.md",
    codes=(1,),
    says="RMSE",
)
def _() -> None:
    copy_runs()


@attack("a current folder that is gone", "rmdir $PWD; grubench runs", codes=(2,), says="is gone")
def _() -> None:
    """Nothing to plant."""


@attack(
    "a current folder that goes while it trains",
    f"{COMPARE} --epochs 300 --output ../out & pid=$!; while [ ! -e ../out/.locks ]; do sleep 0.2; done; "
    "rm -r $PWD; wait $pid",
    codes=(0, 1),
    says="",
    limits=HEAVY,
)
def _() -> None:
    """Nothing to plant."""


@attack("a broken keras.json", f"KERAS_HOME=. {COMPARE}", says="keras.json", limits=HEAVY)
def _() -> None:
    Path("keras.json").write_text('{"floatx": "float99"}')


@attack("a backend that cannot be loaded", f"PYTHONPATH=broken:$PYTHONPATH {COMPARE}", says="needs AVX", limits=HEAVY)
def _() -> None:
    Path("broken").mkdir()
    Path("broken/tensorflow.py").write_text("raise RuntimeError('this build needs AVX')\n")


@attack("bytes in an argument that are no text", f"{COMPARE} --csv $'\\xff\\x1b[2J.csv' --target v", says="\\x1b")
def _() -> None:
    """Nothing to plant."""


@attack(
    "SIGTERM in the middle",
    f"{COMPARE} --epochs 100000 & pid=$!; while [ ! -e runs/.locks ]; do sleep 0.2; done; kill $pid; wait $pid",
    codes=(143,),
    says="Interrupted",
    limits=HEAVY,
)
def _() -> None:
    """Nothing to plant."""


def main() -> None:
    """Try them, and print the table; the exit code is 1 where one did not end as it should."""
    parser = argparse.ArgumentParser(description="Attacks and faults on the command line.")
    parser.add_argument("name", nargs="?", default="", help="try only those with this in their name")
    chosen = [attack for attack in ATTACKS if parser.parse_args().name in attack.name]
    root = Path(tempfile.mkdtemp(prefix="attacks-"))
    try:
        outcomes = try_all(chosen, root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    show(outcomes)
    sys.exit(any(outcome.fault for outcome in outcomes.values()))


def try_all(attacks: list[Attack], root: Path) -> dict[str, Outcome]:
    """Try attacks, each in a folder of its own, with a command `grubench` and one finished comparison."""
    script = root / "bin" / "grubench"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nimport sys\nfrom grubench.cli import main\nsys.exit(main())\n")
    script.chmod(0o755)
    os.environ |= {
        "PATH": f"{script.parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{Path(__file__).parents[1]}",
        "ATTACK_RUNS": str(root / "trained" / "runs"),
    }
    (root / "trained").mkdir()
    subprocess.run(["bash", "-c", COMPARE], cwd=root / "trained", check=True, capture_output=True)
    outcomes = {}
    with Console(stderr=True).status("") as status, ThreadPoolExecutor(AT_A_TIME) as pool:
        folders = [root / str(number) for number in range(len(attacks))]
        for attack, outcome in zip(attacks, pool.map(try_one, attacks, folders), strict=True):
            outcomes[attack.name] = outcome
            status.update(f"{len(outcomes)} of {len(attacks)} tried")
    return outcomes


def try_one(attack: Attack, folder: Path) -> Outcome:
    """Plant an attack in a folder, call its command there, and judge how that ended."""
    folder.mkdir()
    planting = os.fork()  # so that what planting takes is not counted as the command's
    if not planting:
        code = 1
        try:
            with contextlib.chdir(folder):
                attack.plant()
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(planting, 0)[1]:
        return Outcome(fault="it could not be planted", code=-1, seconds=0.0, peak_mb=0.0, output="")
    started = time.perf_counter()
    words = ["bash", "-c", attack.command]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        text = process.stdout.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    peak_mb = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    code = process.returncode
    fault = find_fault(attack, code, seconds, peak_mb, text, marked=(folder / MARK).exists())
    return Outcome(fault=fault, code=code, seconds=seconds, peak_mb=peak_mb, output=text)


def find_fault(attack: Attack, code: int, seconds: float, peak_mb: float, text: str, *, marked: bool) -> str:
    """What was wrong with how an attack ended; empty where nothing was."""
    most_s, most_mb = attack.limits
    faults = {
        "it ran code": marked,
        f"exit code {code}": code not in attack.codes,
        "a traceback": "Traceback" in text or "This is a bug" in text,
        f"it does not say {attack.says!r}": attack.says not in text,
        f"more than {most_s} s": seconds > most_s,
        f"more than {most_mb} MB": peak_mb > most_mb,
    }
    return ", ".join(fault for fault, applies in faults.items() if applies)


def show(outcomes: dict[str, Outcome]) -> None:
    """Print the table, and the whole output of what did not end as it should."""
    console = Console()
    table = Table("tried", "ended", "s", "MB", box=None)
    for name, outcome in outcomes.items():
        refused = next((line for line in outcome.output.splitlines() if line.startswith("grubench:")), "harmless")
        ended = outcome.fault or f"{outcome.code}, {refused.removeprefix('grubench: ')}"
        table.add_row(
            Text(name), Text(ended, "red" if outcome.fault else ""), f"{outcome.seconds:.1f}", f"{outcome.peak_mb:.0f}"
        )
    console.print(table)
    for name, outcome in outcomes.items():
        if outcome.fault:
            console.print(Text(f"\n{name}\n{outcome.output}"), soft_wrap=True)
    good = sum(not outcome.fault for outcome in outcomes.values())
    console.print(f"{good} of {len(outcomes)} ended as they should.")


if __name__ == "__main__":
    main()
