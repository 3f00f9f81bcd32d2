"""Whether finished trials may be set against each other, and what a reader must know where they may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grubench.errors import UsageError
from grubench.spec.arm_settings import UNITS_KEY, UNNAMED_KEYS
from grubench.spec.arms import find_differing_settings, flatten_spec, vary_in_units
from grubench.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grubench.runs.run import Run
    from grubench.spec.arms import Arm
    from grubench.spec.experiment import Experiment


# What a difference in a setting brings with it.
CONSEQUENCES = {"training.backend": ": a seed gives each backend initial weights of its own"}


def check_comparable(arms: dict[Arm, list[Run]]) -> None:
    """Sort the runs of each arm by seed, and refuse what cannot be compared.

    Raises:
        UsageError: The runs cannot be compared, or two of them are the same trial.
    """
    first, *others = [run for runs_of_arm in arms.values() for run in runs_of_arm]
    for run in others:
        _check_same_windows(first, run)
    _check_same_metrics(arms)
    for arm, runs_of_arm in arms.items():
        runs_of_arm.sort(key=lambda run: run.experiment.seed)
        seeds = [run.experiment.seed for run in runs_of_arm]
        if len(set(seeds)) < len(seeds):
            raise UsageError(f"Two of the runs are the same trial: {arm}, seed {max(seeds, key=seeds.count)}.", "")


def _check_same_metrics(arms: dict[Arm, list[Run]]) -> None:
    """The means of an arm are taken over its seeds: each has all that the first has."""
    for arm, runs_of_arm in arms.items():
        expected = runs_of_arm[0].metrics.test.overall.keys()
        for run in runs_of_arm:
            metrics = run.metrics.test.overall.keys()
            if metrics != expected:
                name = min(metrics ^ expected)
                raise UsageError(
                    f"{runs_of_arm[0].name} and {run.name} of the arm {quote(arm.name)} are not measured alike: "
                    f"one has no {quote(name)}.",
                    "Train the older of them again (with --fresh).",
                )


def _check_same_windows(first: Run, other: Run) -> None:
    specs = (first.experiment, other.experiment)
    # Ten thousand runs share two sections as a rule: settings are looked at one by one where they do not.
    alike = specs[0].window == specs[1].window and specs[0].data == specs[1].data
    differing = [
        key
        for key in ([] if alike else find_differing_settings(specs))
        if key.startswith("window.") or key in ("data.train_series", "data.test_series")
    ]
    if differing:
        key = differing[0]
        values = [flatten_spec(spec)[key] for spec in specs]
        raise UsageError(
            f"{first.name} and {other.name} cannot be compared: {key} is {values[0]!r} and {values[1]!r}.",
            "Errors are comparable only on the same windows of the same data.",
        )
    data, other_data = ((run.metrics.data.fingerprint, list(run.metrics.test.series)) for run in (first, other))
    if data != other_data:
        names = [run.experiment.data_name for run in (first, other)]
        raise UsageError(
            f"{first.name} and {other.name} cannot be compared: they saw different data ({names[0]} and {names[1]}).",
            "Errors are comparable only on the same windows of the same data.",
        )


def write_differences(specs: Sequence[Experiment]) -> tuple[str, ...]:
    """Write a note for each setting, seed and cell apart, that is not the same for all.

    Of units that differ from cell to cell, such as for as many parameters, the note has the stacks.
    """
    stacks = dict.fromkeys(",".join(spec.model.layers) for spec in specs)
    are_units_of_cells = not vary_in_units(specs)
    notes = [
        f"The arms differ in {key.partition('.')[2]}{CONSEQUENCES.get(key, '')}."
        for key in find_differing_settings(specs)
        if key not in UNNAMED_KEYS and not (key == UNITS_KEY and are_units_of_cells)
    ]
    if are_units_of_cells and len({tuple(layer.units for layer in spec.model.stack) for spec in specs}) > 1:
        notes.append(f"The arms differ in their units: {' and '.join(stacks)}.")
    return tuple(notes)


def find_differing_machines(every: Sequence[Run]) -> list[str]:
    """Find what of the software and the machine is not the same for all runs; then times cannot be compared.

    Of packages that not all have, such as the backend's own, those have to agree that are there.
    """
    packages = {name for run in every for name in run.environment.versions}
    versions = [{run.environment.versions.get(name) for run in every} - {None} for name in packages]
    keys = ("processor", "cores", "devices", "threads")
    differing = [key for key in keys if len({repr(getattr(run.environment, key)) for run in every}) > 1]
    return ["versions", *differing] if any(len(of_package) > 1 for of_package in versions) else differing
