"""Presets: a workload's spec in a TOML file, and the order in which settings override each other.

A flag overrides the preset, the preset the dataset's defaults, and those the spec's defaults.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from grubench.data.datasets.catalog import CATALOG, find
from grubench.data.input_files import measure_file
from grubench.errors import GrubenchError, SpecError, UsageError
from grubench.spec.cells import CELLS
from grubench.spec.experiment import MAX_TOML_CHARACTERS, Experiment, check_keys, parse_toml
from grubench.spec.fields import Tree
from grubench.spec.sections import WRITTEN, Data, Model, spread_cells
from grubench.text import exists, list_names, quote

# The endings of tables of the user's own, which are no presets.
TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".gz", ".zip", ".parquet", ".pq", ".xlsx")


def find_folder() -> Path:
    """The folder of the presets: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "experiments"
    return installed if installed.is_dir() else package.parent / "experiments"


def list_presets() -> list[str]:
    """The presets that come with grubench."""
    return sorted(path.stem for path in find_folder().glob("*.toml"))


def read(name: str) -> Tree:
    """A preset's settings, by its name or the path of a TOML file.

    Raises:
        UsageError: There is no such preset.
        SpecError: The file is not TOML, or holds an unknown key.
    """
    path = _find_file(name)
    try:
        with path.open(encoding="utf-8") as file:
            tree = parse_toml(file.read(MAX_TOML_CHARACTERS + 1))
    except (SpecError, UnicodeDecodeError, OSError) as error:
        reason = error.message if isinstance(error, SpecError) else f"{error}."
        raise SpecError(
            f"{path} is not a TOML preset: {reason}", "See the presets in experiments/ for examples."
        ) from error
    try:
        if not isinstance(tree.get("model", {}), dict):
            check_keys(tree)
        check_keys(_expand_short_forms(tree, {}))
    except SpecError as error:
        raise SpecError(f"{path}: {error.message}", error.remedy) from error
    return tree


def _find_file(name: str) -> Path:
    """The file of a preset, by its name or its path."""
    is_path = name.endswith(".toml")
    path = Path(name) if is_path else find_folder() / f"{name}.toml"
    if Path(name).suffix.lower() in TABLE_ENDINGS and exists(Path(name)):
        raise UsageError(f"{name} is a table, not a preset.", _advise_table(Path(name)))
    if is_path and exists(path):
        measure_file(path, "preset")
    elif is_path or name not in list_presets():
        raise UsageError(
            f"There is no preset {quote(name)}.",
            f"Give one of {', '.join(list_presets())}, or the path of a .toml file.",
        )
    return path


def _advise_table(path: Path) -> str:
    """How to compare on a table of the user's own."""
    from grubench.data.datasets.inspection import inspect_table
    from grubench.data.input_files import MAX_TABLE_MB

    look = f"`grubench datasets --csv {shlex.quote(str(path))}` shows what it holds."
    try:
        command = inspect_table(path, Data(file=str(path)), max_mb=MAX_TABLE_MB).command()
    except GrubenchError:
        return look
    return f"To compare on it: {command}\n{look}"


def resolve(preset: str | None = None, flags: Tree | None = None) -> Experiment:
    """The Experiment that a preset and flags ask for.

    Args:
        preset: A preset's name or path, or None.
        flags: Nested dictionaries of the settings that were set; `model` may have the short forms
            `cell` and `units` in place of `layers`.

    Raises:
        SpecError: A setting is not valid, naming it.
        UsageError: There is no such preset or dataset.
    """
    flags = flags or {}
    base = read(preset) if preset else {}
    data_flags = flags.get("data", {})
    if data_flags.get("file") and data_flags.get("dataset"):
        raise SpecError("data.dataset and data.file are both set.", "Use one of --dataset and --csv.")
    if data_flags.get("file") or data_flags.get("dataset") not in (None, base.get("data", {}).get("dataset")):
        base = {key: part for key, part in base.items() if key != "data"}
    data = merge(base, flags).get("data", {})
    defaults: Tree = {}
    if not data.get("file"):
        dataset = data.get("dataset", Data.dataset)
        defaults = find(dataset).defaults if isinstance(dataset, str) else {}
        _refuse_file_settings(data)
    tree = merge(defaults, base)
    tree = merge(tree, {key: part for key, part in flags.items() if key != "model"})
    tree["model"] = _expand_short_forms(tree, flags.get("model", {}))["model"]
    _check_target(tree.get("data", {}))
    return Experiment.from_dict(tree)


def _check_target(data: Tree) -> None:
    """Refuse a file of which no target is named: naming its columns, and the command to call.

    Raises:
        SpecError: No column is named.
    """
    file = data.get("file")
    if not file or data.get("target") or not isinstance(file, str):
        return
    from grubench.data.datasets.inspection import inspect_table
    from grubench.data.input_files import MAX_TABLE_MB

    problem, remedy = f"data.target: no column of {file} is named as the target.", "Name it with --target COLUMN"
    try:
        spec = Data(file=file, **{key: value for key, value in data.items() if key in WRITTEN})
        found = inspect_table(Path(file), spec, max_mb=MAX_TABLE_MB)
    except (GrubenchError, TypeError):
        raise SpecError(problem, f"{remedy}.") from None
    columns = list_names(column.name for column in found.columns)
    raise SpecError(problem, f"{remedy}, one of {columns}. For instance: {found.command()}")


def merge(base: Tree, over: Tree) -> Tree:
    """Join nested dictionaries; a value of `over` replaces that of `base`."""
    joined = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(joined.get(key), dict)
        joined[key] = merge(joined[key], value) if both else value
    return joined


def _refuse_file_settings(data: Tree) -> None:
    """Refuse settings of a dataset that only a file of the user's own has."""
    dataset = data.get("dataset", Data.dataset)
    file_settings: tuple[str, ...] = ("time", "time_format", "series_column")
    if not isinstance(dataset, str) or not find(dataset).has_columns:
        file_settings += ("target", "features")
    for key in file_settings:
        if data.get(key):
            raise SpecError(
                f"data.{key}: {quote(data[key])} does not go with the dataset {dataset!r}.",
                f"It describes a file of your own (--csv FILE). Datasets: {', '.join(CATALOG)}.",
            )


def _expand_short_forms(tree: Tree, flags: Tree) -> Tree:
    """Replace the short forms `cell` and `units`, of the preset and then of the flags, by `layers`."""
    model = dict(tree.get("model", {}))
    for settings in (model, dict(flags)):
        cell, units = settings.pop("cell", None), settings.pop("units", None)
        if settings.get("layers") is not None and (cell is not None or units is not None):
            raise SpecError(
                "model.layers: set together with model.cell or model.units.", "Set layers, or cell and units."
            )
        base = model.get("layers", list(Model.layers))
        model |= settings
        if cell is not None or units is not None:
            model["layers"] = _write_layers(base, cell, units)
    return tree | {"model": {key: value for key, value in model.items() if key not in ("cell", "units")}}


def _write_layers(layers: tuple[str, ...], cell: object, units: object) -> list[str]:
    """The layers of a stack with another cell or other units, as the settings write them."""
    if cell is not None and cell not in CELLS:
        raise SpecError(f"model.cell: unknown value {quote(cell)}.", f"Valid: {', '.join(CELLS)}.")
    stack = Model(layers=layers).stack
    widths: tuple[object, ...] = tuple(layer.units for layer in stack)
    if units is not None:
        widths = tuple(units) if isinstance(units, list | tuple) else (units,)
    cells = spread_cells(stack, len(widths)) if cell is None else (cell,) * len(widths)
    texts = [width if isinstance(width, str) else quote(width) for width in widths]
    return [f"{name}:{width}" for name, width in zip(cells, texts, strict=True)]
