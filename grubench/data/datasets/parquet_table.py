"""A table in a Parquet file: judged by what its header says of the needed columns, before any is read."""

from __future__ import annotations

import importlib
import importlib.util
import io
from typing import TYPE_CHECKING, Any

from grubench.data.datasets.dialect import Dialect, judge_frame
from grubench.data.datasets.row_order import TIME_NAMES
from grubench.data.input_files import CELL_BYTES, TEXT_BYTES, check_columns, check_size
from grubench.errors import DataError, UsageError
from grubench.text import advise_install, list_names, quote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from grubench.spec.sections import Data

PARQUET_ENDINGS = (".parquet", ".pq")
# What a file says of itself takes about ten times as much memory; that of 100,000 columns is smaller.
MAX_HEADER_BYTES = 32 * 2**20
# Parts of columns whose sizes are added up.
MAX_PARTS = 200_000
# What pandas calls an index without a name, in a file and in a table.
UNNAMED_INDEX, INDEX = "__index_level_0__", "index"


class ParquetTable:
    """The columns of a Parquet file, and the table in it.

    Args:
        path: The file.
        max_mb: The largest table that is read, in MB: of the file, and of the needed columns unpacked and in memory.
        spec: The flags that say how numbers are written where they are text.

    Raises:
        UsageError: PyArrow is not installed.
        DataError: The file is larger.
    """

    title = "Parquet"

    def __init__(self, path: Path, max_mb: int, spec: Data) -> None:
        if not importlib.util.find_spec("pyarrow"):
            raise UsageError(f"data.file: reading {path} needs pyarrow.", advise_install("pyarrow", "parquet"))
        self.path, self._max_mb, self._spec = path, max_mb, spec
        self.dialect = Dialect()
        _check_header_size(path)
        parquet = importlib.import_module("pyarrow.parquet")
        with parquet.ParquetFile(path) as file:
            self._metadata, self._schema = file.metadata, file.schema_arrow
        check_columns(self._metadata.num_columns)
        names = [str(name) for name in self._schema.names]
        index = UNNAMED_INDEX if INDEX not in names else ""
        self.columns = [INDEX if name == index else name.strip() for name in names]
        self._stored = dict(zip(self.columns, names, strict=True))

    def dated_columns(self, needed: Sequence[str]) -> list[str]:
        """The columns that hold dates or are called so, and those that are needed."""
        types: Any = importlib.import_module("pyarrow.types")
        kinds = {name: field.type for name, field in zip(self.columns, self._schema, strict=True)}
        dated = [
            name
            for name, kind in kinds.items()
            if types.is_timestamp(kind) or types.is_date(kind) or name.lower() in TIME_NAMES
        ]
        return list(dict.fromkeys([*needed, *dated]))

    def load(self, columns: Sequence[str], text_columns: Sequence[str] = ()) -> pd.DataFrame:
        """Some of the columns; numbers in those of names become text where names are made of them."""
        stored = [self._stored[name] for name in columns]
        texts = [name for name in stored if self._is_text(name)]
        self._check_header(stored)
        parquet = importlib.import_module("pyarrow.parquet")
        with parquet.ParquetFile(self.path, read_dictionary=texts) as file:
            table = file.read(columns=stored)
        for name in texts:
            table = table.set_column(table.schema.get_field_index(name), name, self._decode(table[name]))
        frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, date_as_object=False)[stored]
        frame = frame.set_axis(list(columns), axis=1)
        self.dialect = judge_frame(frame, text_columns, self._spec)
        return frame

    def _is_text(self, name: str) -> bool:
        types: Any = importlib.import_module("pyarrow.types")
        value = self._find_type(name)
        return bool(types.is_string(value) or types.is_large_string(value))

    def _find_type(self, name: str) -> Any:
        """The type of a column's values, where it is one whose size in memory is known.

        Raises:
            DataError: It holds neither text, numbers nor times.
        """
        types: Any = importlib.import_module("pyarrow.types")
        kind = self._schema.field(name).type
        value = kind.value_type if types.is_dictionary(kind) else kind
        known = (types.is_string, types.is_large_string, types.is_primitive, types.is_decimal, types.is_null)
        if not any(is_of(value) for is_of in known):
            raise DataError(
                f"{self.path.name}, column {quote(name)} holds no numbers, but {list_names([kind])}.",
                "Name another column.",
            )
        return value

    def _check_header(self, stored: Sequence[str]) -> None:
        """Refuse columns that are too large, as the file's header has it."""
        metadata, needed = self._metadata, set(stored)
        places = [place for place in range(metadata.num_columns) if metadata.schema.column(place).path in needed]
        if len(places) * metadata.num_row_groups > MAX_PARTS:
            raise ValueError(f"it has {metadata.num_row_groups:,} row groups; write it again with fewer")
        groups = map(metadata.row_group, range(metadata.num_row_groups))
        unpacked = sum(group.column(place).total_uncompressed_size for group in groups for place in places)
        check_size(self.path, unpacked, self._max_mb, "bytes in the needed columns when they are unpacked")
        types: Any = importlib.import_module("pyarrow.types")
        objects = [kind for kind in map(self._find_type, stored) if not types.is_primitive(kind) or types.is_time(kind)]
        cells = metadata.num_rows * len(stored)
        memory = cells * CELL_BYTES + metadata.num_rows * len(objects) * (TEXT_BYTES - CELL_BYTES)
        check_size(self.path, memory, self._max_mb, f"bytes in {cells:,} cells of the needed columns in memory")

    def _decode(self, column: Any) -> Any:
        """A column of text, of which a file has each value once, with the value in every row."""
        compute: Any = importlib.import_module("pyarrow.compute")
        lengths = [
            compute.sum(compute.take(compute.binary_length(chunk.dictionary), chunk.indices)).as_py() or 0
            for chunk in column.chunks
        ]
        check_size(self.path, sum(lengths), self._max_mb, "bytes of text in memory")
        return column.cast("large_string")


def _check_header_size(path: Path) -> None:
    """Refuse a file whose header is large; it stands at the end, and its length behind it, in four bytes."""
    with path.open("rb") as file:
        file.seek(-min(8, path.stat().st_size), io.SEEK_END)
        size = int.from_bytes(file.read(4), "little")
    if size > MAX_HEADER_BYTES:
        raise ValueError(f"its header says that it has {size:,} bytes, and at most {MAX_HEADER_BYTES:,} are read")
