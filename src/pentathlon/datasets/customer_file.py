"""A retailer's flat file, whatever it is stored as."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from copy import deepcopy
from pathlib import PurePosixPath
from typing import IO, Any, NoReturn

import fsspec
import pandas as pd
from kedro.io.core import AbstractDataset, DatasetError, get_filepath_str, get_protocol_and_path
from kedro_datasets._typing import TablePreview

from pentathlon.contract.parse import SOURCE
from pentathlon.errors import DataError, ParameterError

_CONVERT = {
    (".pkl", ".pickle", ".joblib"): (
        "A pickle can run any program when it is opened, so it is never read. Where you trust "
        'it, convert it once: pandas.read_pickle("file.pkl").to_parquet("file.parquet").'
    ),
    (".rda", ".rdata", ".rds"): (
        "Files of R are not read. Convert it once in R: "
        'arrow::write_parquet(the_data_frame, "file.parquet").'
    ),
    (".xls", ".xlsx", ".xlsm", ".ods"): (
        'Spreadsheets change values silently (dates, leading zeros). Save it as "CSV UTF-8".'
    ),
}


def _csv(separator: str) -> Callable[[IO[bytes], dict[str, Any]], pd.DataFrame]:
    def read(stream: IO[bytes], load_args: dict[str, Any]) -> pd.DataFrame:
        # Text, all of it: a parser that guesses types turns "abc" in a money column into an
        # untyped column and "007" into 7. Typing is the contract's work, row by row.
        arguments = {
            "sep": separator,
            "dtype": "str",
            "na_filter": False,
            "encoding": "utf-8-sig",
            **load_args,
        }
        frame: pd.DataFrame = pd.read_csv(stream, **arguments)
        if not isinstance(frame.index, pd.RangeIndex):
            raise ValueError("the rows have more fields than the header has names")
        return frame

    return read


def _parquet(stream: IO[bytes], load_args: dict[str, Any]) -> pd.DataFrame:
    arguments = dict(load_args)
    nrows = arguments.pop("nrows", None)
    if nrows is None:
        frame: pd.DataFrame = pd.read_parquet(stream, engine="pyarrow", **arguments)
        return frame
    import pyarrow.parquet as pq  # noqa: PLC0415

    batches = pq.ParquetFile(stream).iter_batches(batch_size=nrows, **arguments)
    first = next(batches, None)
    return pd.DataFrame() if first is None else first.to_pandas()


def _feather(stream: IO[bytes], load_args: dict[str, Any]) -> pd.DataFrame:
    arguments = dict(load_args)
    nrows = arguments.pop("nrows", None)
    frame: pd.DataFrame = pd.read_feather(stream, **arguments)
    return frame if nrows is None else frame.head(nrows)


_READERS: dict[str, Callable[[IO[bytes], dict[str, Any]], pd.DataFrame]] = {
    ".parquet": _parquet,
    ".csv": _csv(","),
    ".csv.gz": _csv(","),
    ".tsv": _csv("\t"),
    ".tsv.gz": _csv("\t"),
    ".feather": _feather,
    ".arrow": _feather,
}


class CustomerFileDataset(AbstractDataset[NoReturn, pd.DataFrame]):
    """Reads ``.parquet``, ``.csv``, ``.csv.gz``, ``.tsv``, ``.tsv.gz``, ``.feather``, ``.arrow``.

    Values of text formats stay text; the file's path travels in ``DataFrame.attrs``, so
    that later messages can name it. Nothing that could run code is opened. Load only: a
    retailer's file is never written to.

    Parameters
    ----------
    filepath : str
        Path or URL (anything fsspec knows); the extension says the format.
    load_args : dict, optional
        For ``pandas.read_csv`` (``sep: ";"``, ``encoding: latin-1``), ``read_parquet`` or
        ``read_feather`` (``columns``).
    credentials : dict, optional
        For the file system.
    fs_args : dict, optional
        For the file system.
    metadata : dict, optional
        Ignored by Kedro; read by plugins.

    Examples
    --------
    >>> CustomerFileDataset(filepath="data/01_raw/customers.csv.gz")
    pentathlon.datasets.customer_file.CustomerFileDataset(filepath=data/01_raw/customers.csv.gz, \
protocol='file', load_args={})
    """

    def __init__(
        self,
        *,
        filepath: str,
        load_args: dict[str, Any] | None = None,
        credentials: dict[str, Any] | None = None,
        fs_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._protocol, path = get_protocol_and_path(filepath)
        self._filepath = PurePosixPath(path)
        self._load_args = deepcopy(load_args or {})
        self._fs = fsspec.filesystem(self._protocol, **{**(credentials or {}), **(fs_args or {})})
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Read the file.

        Returns
        -------
        DataFrame

        Raises
        ------
        DatasetError
            Caused by a ``DataError`` (file absent, of another format, truncated, not UTF-8)
            or a ``ParameterError`` (unknown ``load_args``), whose message it carries.
        """
        return self._read(self._load_args)

    def save(self, data: NoReturn) -> NoReturn:
        """Refuse: the file belongs to the retailer."""
        raise DatasetError(
            f"{self._filepath} is a customer file and is only read. Save results under another "
            "name, with a dataset of kedro_datasets."
        )

    def preview(self, nrows: int = 5) -> TablePreview:
        """First rows, for Kedro-Viz.

        Parameters
        ----------
        nrows : int

        Returns
        -------
        TablePreview
            ``index``, ``columns`` and ``data``.
        """
        frame = self._read({**self._load_args, "nrows": nrows}).astype(object)
        return TablePreview(frame.where(frame.notna(), None).to_dict(orient="split"))

    def _describe(self) -> dict[str, Any]:
        return {
            "filepath": self._filepath,
            "protocol": self._protocol,
            "load_args": self._load_args,
        }

    def _exists(self) -> bool:
        return bool(self._fs.exists(get_filepath_str(self._filepath, self._protocol)))

    def _read(self, load_args: dict[str, Any]) -> pd.DataFrame:
        path = get_filepath_str(self._filepath, self._protocol)
        reader = self._reader()
        if not self._fs.exists(path):
            raise DataError(
                f"There is no file {path}. Put the customer file there, or correct filepath "
                "in the catalog."
            )
        if self._fs.isdir(path):
            raise DataError(f"{path} is a folder; filepath in the catalog must name one file.")
        from pyarrow import ArrowException  # noqa: PLC0415

        compression = "gzip" if self._filepath.name.lower().endswith(".gz") else None
        try:
            with fsspec.core.OpenFile(self._fs, path, compression=compression) as stream:
                frame = reader(stream, load_args)
        except UnicodeDecodeError as exc:
            raise DataError(
                f"{path} is not UTF-8 text (byte 0x{exc.object[exc.start]:02x}). Save it as "
                "UTF-8, or say how it is encoded: load_args: {encoding: latin-1} in the catalog."
            ) from exc
        except pd.errors.EmptyDataError as exc:
            raise DataError(f"{path} is empty. Export it again.") from exc
        except TypeError as exc:
            raise ParameterError(
                f"load_args {load_args} do not suit {self._filepath.name}: {exc}. "
                "Correct them in the catalog."
            ) from exc
        except (OSError, ValueError, EOFError, zlib.error, ArrowException) as exc:
            raise DataError(
                f"{path} cannot be read as {self._suffix()}: {exc}. It may be cut short, or of "
                "another format than its name says; copy or export it again."
            ) from exc
        frame.attrs[SOURCE] = path
        return frame

    def _suffix(self) -> str:
        suffixes = [suffix.lower() for suffix in self._filepath.suffixes]
        if suffixes[-1:] == [".gz"]:
            return "".join(suffixes[-2:])
        return "".join(suffixes[-1:])

    def _reader(self) -> Callable[[IO[bytes], dict[str, Any]], pd.DataFrame]:
        suffix = self._suffix()
        if suffix in _READERS:
            return _READERS[suffix]
        advice = next(
            (text for suffixes, text in _CONVERT.items() if suffix in suffixes),
            "Convert it to one of them.",
        )
        raise DataError(
            f"{self._filepath}: files of type '{suffix or 'none'}' are not read; "
            f"{', '.join(_READERS)} are. {advice}"
        )
