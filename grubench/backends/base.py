"""What differs between Keras's backends, each thing in one place a backend; here what they share."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from grubench.backends import gpus, private_api
from grubench.spec.backends import BACKENDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    import keras
    import numpy as np
    from numpy.typing import NDArray

Batch = tuple[Any, Any]
# TF32 came with the cards of compute capability 8.0, Ampere.
TF32_CAPABILITY = (8, 0)


class Source(Protocol):
    """Where batches come from: `grubench.training.batches.Batches`."""

    batch_size: int

    def __len__(self) -> int:
        """The number of batches in an epoch."""

    def batch(self, number: int) -> Batch:
        """The inputs and targets of one batch of the epoch."""

    def chunks(self) -> Iterator[Batch]:
        """Those of the epoch, some batches at a time."""


class Backend(ABC):
    """A backend of Keras.

    Attributes:
        name: As KERAS_BACKEND has it.
        cuda: What installs it with CUDA.
        runs_many_steps: Whether one call of Keras can run several steps.
        always_compiles: Whether XLA compiles every step.
    """

    name: str
    cuda: str
    runs_many_steps = False
    always_compiles = False

    @property
    def title(self) -> str:
        """As its makers write it."""
        return BACKENDS[self.name].title

    @abstractmethod
    def set_threads(self, threads: int) -> None:
        """Give it this many processor threads; 0 leaves it all cores.

        Raises:
            UsageError: It has been started in this process with another number.
        """

    @abstractmethod
    def gpus(self) -> list[str]:
        """The names of the GPUs that it sees."""

    @abstractmethod
    def lacks_cudnn(self) -> str:
        """Why no layer can have cuDNN here, whatever its settings; empty where one can."""

    def lacks_gpu(self) -> str:
        """Why it has no NVIDIA card here, in words."""
        if gpus.describe_hiding():
            return f"{gpus.describe_hiding()} hides this machine's card (unset it)"
        if not gpus.list_installed_cards():
            return f"this machine has no GPU that {self.title} can use"
        return f"{self.title} does not see this machine's card (install {self.cuda}, and a driver that fits)"

    @abstractmethod
    def cudnn_version(self) -> str:
        """The version of cuDNN that it runs with; empty where it has none."""

    @abstractmethod
    def capability(self) -> tuple[int, int] | None:
        """The least compute capability of its NVIDIA cards; None where it has none."""

    @abstractmethod
    def tf32(self, *, on: bool) -> AbstractContextManager[None]:
        """Let a card's matrix products round their inputs to TF32 (10 bits of mantissa), or keep them in float32.

        The setting is the backend's own again when the block ends.
        """

    @abstractmethod
    def set_up_devices(self) -> None:
        """Set up the devices before the first work: several trials may share a card."""

    @abstractmethod
    def wait(self) -> None:
        """Return once the devices have done all that they were given."""

    @abstractmethod
    def peak_memory_bytes(self) -> int | None:
        """The most memory that tensors have held on one of its GPUs; None where there is none or it does not say."""

    @abstractmethod
    def stream(self, source: Source, *, ahead: int) -> Any:
        """The batches of a source as `fit` and `predict` take them here, anew each time they go through them.

        Args:
            source: The source.
            ahead: Batches to have ready beside the step that runs, where the backend can.
        """

    def allows_cudnn(self, layer: keras.layers.Layer) -> bool:
        """Whether Keras's own check lets a GRU or LSTM layer run on cuDNN."""
        return private_api.keras_allows_cudnn(layer, self.name)

    @abstractmethod
    def operations(self, layer: keras.layers.Layer, shape: tuple[int, ...]) -> set[str]:
        """The names of the operations that a layer executes for inputs of a shape, found by having it do so."""

    def kernel_of(self, operations: set[str]) -> tuple[str, str]:
        """The kernel that ran a recurrent layer, and the operation that shows it; empty where none does."""
        return private_api.kernel_of(self.name, operations)

    def mirrored(self) -> AbstractContextManager[object]:
        """What a model is made in that all devices share, each a part of every batch.

        Raises:
            UsageError: There is one device.
        """
        raise NotImplementedError(f"training.strategy: mirrored on {self.name}, which a spec refuses")

    @abstractmethod
    def random_state(self) -> dict[str, NDArray[np.generic]]:
        """The states of the random generators that are the backend's own and in no variable of a model, by name."""

    @abstractmethod
    def set_random_state(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Go on from what `random_state` has given."""

    def scope(self, model: keras.Model) -> AbstractContextManager[object]:  # noqa: ARG002
        """What a model's variables are made and changed in."""
        return contextlib.nullcontext()

    def replicas(self, model: keras.Model) -> int:  # noqa: ARG002
        """How many copies of a model share each batch."""
        return 1


def zeros(shape: tuple[int, ...]) -> NDArray[np.generic]:
    """Inputs of a shape."""
    import numpy as np

    return np.zeros(shape, np.float32)
