"""Reading text, numbers and labels out of raw columns, whatever a file stored them as."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MISSING_VALUES = ("", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "<NA>")
"""Texts that mean "no value" unless the parameters name others."""

SOURCE = "source"
"""Key of ``DataFrame.attrs`` under which a dataset says which file the rows came from."""

_WHOLE = re.compile(r"([+-]?\d+)\.0+")


def token(value: object) -> str:
    """Text of a label, the same for ``1``, ``1.0``, ``"1.0"`` and ``" 1 "``.

    The same file arrives with its flags as integers, as floats (a column with gaps) or as
    text, depending on who exported it; settings must not have to know.
    """
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    text = str(value).strip()
    whole = _WHOLE.fullmatch(text)
    return whole.group(1) if whole else text


class Labels(NamedTuple):
    """A column of labels as codes into its distinct texts.

    Attributes
    ----------
    codes : ndarray of int64, shape (n,)
        Position in ``levels``; -1 where there is no value.
    levels : list of str
        Distinct texts, in order of appearance; may repeat when raw values share a text.
    """

    codes: NDArray[np.int64]
    levels: list[str]

    def lookup(self, read: Callable[[str], Any], missing: Any, dtype: Any) -> NDArray[Any]:
        """Read every level once and spread the results over the rows.

        Parameters
        ----------
        read : callable
            From the text of a level to its value.
        missing : object
            Value of rows without one.
        dtype : dtype

        Returns
        -------
        ndarray, shape (n,)
        """
        # A code of -1 picks the last entry.
        values = np.empty(len(self.levels) + 1, dtype=dtype)
        values[:-1] = [read(level) for level in self.levels]
        values[-1] = missing
        return values[self.codes]


def labels(column: pd.Series, missing: Collection[str]) -> Labels:
    """Distinct texts of a column and the row's position among them.

    Parameters
    ----------
    column : Series, length n
    missing : collection of str
        Texts that mean "no value".

    Returns
    -------
    Labels
    """
    codes, uniques = pd.factorize(column)
    levels = [token(value) for value in uniques]
    gone = np.array([*(level in missing for level in levels), True])
    return Labels(np.where(gone[codes], -1, codes).astype(np.int64), levels)


def text(column: pd.Series, missing: Collection[str]) -> pd.Series:
    """Text of a column of identifiers, missing where there is none.

    Parameters
    ----------
    column : Series, length n
    missing : collection of str
        Texts that mean "no value".

    Returns
    -------
    Series of str, length n
        Whole numbers stored as floats lose their ``.0``; text keeps its leading zeros.
    """
    if pd.api.types.is_float_dtype(column.dtype):
        values = column.map(token, na_action="ignore").astype("str")
    else:
        values = column.astype("str").str.strip()
    return values.mask(values.isin(list(missing)) | column.isna())


def numbers(
    column: pd.Series, missing: Collection[str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Numbers of a column and which values are none.

    Parameters
    ----------
    column : Series, length n
    missing : collection of str
        Texts that mean "no value".

    Returns
    -------
    values : ndarray of float64, shape (n,)
        NaN where the value is missing or not a number.
    not_a_number : ndarray of bool, shape (n,)
        Where a value is present and is not a finite number. ``"12,50"`` and ``"€ 12.50"``
        are not numbers: guessing a decimal comma or a currency would change money silently.
    """
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(
        column.dtype
    ):
        # astype, because a new array is wanted: what a column lends may not be written to.
        values = column.to_numpy(dtype=np.float64, na_value=np.nan).astype(np.float64)
        not_a_number = np.isinf(values)
    else:
        texts = column.astype("str").str.strip()
        present = ~(column.isna() | texts.isin(list(missing))).to_numpy()
        values = pd.to_numeric(texts.where(present), errors="coerce").to_numpy(
            dtype=np.float64, na_value=np.nan
        )
        values = values.astype(np.float64)
        not_a_number = present & ~np.isfinite(values)
    values[not_a_number] = np.nan
    return values, not_a_number


def show(value: object) -> str:
    """Quote a value for a message to a person: text in quotes, cut where long."""
    if not isinstance(value, str):
        return str(value)
    return f'"{value[:37]}..."' if len(value) > 40 else f'"{value}"'
