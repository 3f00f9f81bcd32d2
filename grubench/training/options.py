"""How a trial is run. Nothing of it changes a result, so it is no part of the spec and its digest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from msgspec import structs

from grubench.runs.records import Machine

T = TypeVar("T", bound=Machine)


@dataclass(frozen=True, kw_only=True)
class TrialOptions:
    """What the command line and the executor decide for a trial.

    Attributes:
        threads: Processor threads; 0 for what the spec says.
        shared: With what the trial shares its machine, in words; empty where it has the machine for itself.
        card: The GPU that is the trial's own, as CUDA_VISIBLE_DEVICES names it; empty for all GPUs.
        cards: The GPUs that the comparison may use, as `gpus.list_cards` names them.
        checkpoint: The file of the checkpoint; None for none.
        checkpoint_every: Epochs between checkpoints; 0 to write none, but resume from one that exists.
        command: The command line that asked for the trial; empty for that of this process.
        call: A name of the call of grubench that starts it, shared by all trials that this call trains.
        place: Its place in the order in which that call starts its trials, from 0.
    """

    threads: int = 0
    shared: str = ""
    card: str = ""
    cards: tuple[str, ...] = ()
    checkpoint: Path | None = None
    checkpoint_every: int = 0
    command: str = ""
    call: str = ""
    place: int = 0

    def with_all_cards(self, machine: T) -> T:
        """A record of the machine with the GPUs of the whole comparison, where the trial sees only its own."""
        return structs.replace(machine, cards=self.cards) if self.card else machine
