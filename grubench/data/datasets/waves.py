"""Waves: generated long sequences, the sum of two sine waves whose amplitudes wander."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from grubench.data.datasets.catalog import Source, register

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from grubench.data.series import Series
    from grubench.spec.sections import Data

SEQUENCES = 50
STEPS = 20_001
# The article names no frequencies. Ours: periods of 100 and of 29 steps, so that a network sees many of
# both within a sequence and one is no multiple of the other.
PERIODS = (100, 29)


def read(spec: Data, files: Sequence[Path]) -> list[Series]:
    """Fifty sequences of 20,001 steps (20,000 in, the next step out), the same for the same `generator_seed`.

    From a file it takes the column `level`.

    `x(t) = |cos a(t)| sin(2 pi t / 100) + |sin a(t)| sin(2 pi t / 29) + noise + 100`, where the angle a starts
    anywhere in (-pi, pi) and moves by 0.01 U(-1, 1) a step, and the noise is Gaussian of variance 0.01.

    References:
        "LSTM vs GRU: Experimental Comparison", Mindboard 2019, and "Training Recurrent Neural Networks
        on Long Sequences", which it takes its data from.
    """
    import numpy as np

    from grubench.data.datasets import tables
    from grubench.data.series import Series

    if files:
        return tables.read(replace(spec, target=("level",)), files[0])
    draw = np.random.default_rng(spec.generator_seed)
    step = np.arange(STEPS)
    slow, fast = (np.sin(2 * np.pi * step / period) for period in PERIODS)
    waves = []
    for number in range(1, SEQUENCES + 1):
        angle = draw.uniform(-np.pi, np.pi) + np.cumsum(0.01 * draw.uniform(-1, 1, STEPS))
        wave = np.abs(np.cos(angle)) * slow + np.abs(np.sin(angle)) * fast
        values = wave + draw.normal(0, 0.1, STEPS) + 100
        waves.append(
            Series(name=f"wave{number:02d}", values=values[:, None], columns=("level",), time=step, unit=spec.unit)
        )
    return waves


register(
    Source(
        name="waves",
        read=read,
        summary="Two sine waves whose amplitudes wander, plus noise",
        size="50 sequences x 20,001 steps",
        origin="generated after the recipe behind the 2019 experiment of Mindboard",
        defaults={
            "data": {
                "train_series": [f"wave{number:02d}" for number in range(1, 41)],
                "test_series": [f"wave{number:02d}" for number in range(41, 51)],
                "period": 0,
            },
            "window": {
                "lookback": 20_000,
                "every_step": True,
                "split": "series",
                "validation": 0,
                "test": 0,
                "scaling": "standard",
                "scale_per": "dataset",
            },
        },
    )
)
