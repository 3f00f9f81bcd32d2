"""Scaling: an offset and a factor for each feature, fitted on rows that the caller chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A range of less than this share of the values comes from rounding.
ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Scaling:
    """An affine map of each feature: `scaled = (value - offset) / factor`.

    Attributes:
        offset: `(feature,)`, in the feature's unit.
        factor: `(feature,)`, in the feature's unit; 1 for a feature that is constant but for rounding.
    """

    offset: NDArray[np.float64]
    factor: NDArray[np.float64]

    @classmethod
    def fit(cls, kind: str, rows: NDArray[np.float64]) -> Self:
        """Fit on rows of shape `(time, feature)`.

        Args:
            kind: `minmax` maps the rows to [0, 1], `standard` to mean 0 and (population)
                standard deviation 1, `none` leaves them as they are.
            rows: The values to fit on.
        """
        feature = rows.shape[1]
        if kind == "none":
            return cls(offset=np.zeros(feature), factor=np.ones(feature))
        low, high = rows.min(axis=0), rows.max(axis=0)
        varies = high - low > ROUNDING * np.maximum(np.abs(low), np.abs(high))
        if kind == "minmax":
            offset, factor = low, high - low
        else:
            offset, factor = rows.mean(axis=0), rows.std(axis=0)
            factor = np.where(factor > 0, factor, high - low)  # the squares of values near 1e-300 are 0
        return cls(offset=offset, factor=np.where(varies, factor, 1.0))

    def apply(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scale values of shape `(time, feature)`."""
        return np.asarray((values - self.offset) / self.factor)

    def scale_target(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scale targets of any shape."""
        return np.asarray((values - self.offset[0]) / self.factor[0])

    def target_to_unit(self, scaled: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map scaled targets of any shape back to the target's unit."""
        return np.asarray(scaled.astype(np.float64) * self.factor[0] + self.offset[0])

    def to_dict(self) -> dict[str, list[float]]:
        """The two vectors as plain lists."""
        return {"offset": self.offset.tolist(), "factor": self.factor.tolist()}

    @classmethod
    def from_dict(cls, tree: dict[str, list[float]]) -> Self:
        """The inverse of `to_dict`."""
        return cls(offset=np.array(tree["offset"], float), factor=np.array(tree["factor"], float))
