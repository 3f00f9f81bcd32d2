"""How a trial is run, beside its spec: nothing here changes a result, and so the spec's digest knows nothing of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class TrialOptions:
    """What an executor and the command line decide for a trial.

    Attributes:
        threads: Processor threads; 0 for what the spec says.
        shared: Why its times are not those of a machine of its own, in words; empty where it has one for itself.
        card: The GPU that is the trial's own, as CUDA_VISIBLE_DEVICES names it; empty for all there are.
        cards: The GPUs that the comparison may use, as `environment.cards` names them.
        checkpoint: Where a checkpoint is kept; None for nowhere.
        every: Epochs between checkpoints; 0 to make none, and go on from one that is there.
    """

    threads: int = 0
    shared: str = ""
    card: str = ""
    cards: tuple[str, ...] = ()
    checkpoint: Path | None = None
    every: int = 0

    @property
    def seen_cards(self) -> dict[str, list[str]]:
        """The cards of the whole comparison, where the trial has one of them for itself and sees no other."""
        return {"cards": list(self.cards)} if self.card else {}
