"""Newton's method against regressions that have a closed form."""

from __future__ import annotations

import numpy as np
import pytest

from pentathlon.errors import PentathlonError
from pentathlon.fusion import fit_logistic

TABLE = {(0, 0): 30, (0, 1): 10, (1, 0): 20, (1, 1): 40}
"""Rows by (x, y): the odds are 1/3 at x = 0 and 2 at x = 1."""


def rows_of_table() -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array([pair for pair, count in TABLE.items() for _ in range(count)])
    return np.column_stack([np.ones(len(pairs)), pairs[:, 0]]), pairs[:, 1]


def test_a_two_by_two_table_has_its_odds_ratio() -> None:
    x, y = rows_of_table()
    fit = fit_logistic(x, y, np.ones(len(y)))
    np.testing.assert_allclose(fit.coefficients, [np.log(1 / 3), np.log(6)], rtol=1e-7)
    woolf = np.sqrt(1 / 30 + 1 / 10 + 1 / 20 + 1 / 40)
    np.testing.assert_allclose(fit.standard_error, [np.sqrt(1 / 30 + 1 / 10), woolf], rtol=1e-6)


def test_a_weight_counts_as_so_many_rows_in_the_coefficients() -> None:
    cells = np.array(list(TABLE))
    x = np.column_stack([np.ones(4), cells[:, 0]])
    fit = fit_logistic(x, cells[:, 1], np.array(list(TABLE.values())))
    np.testing.assert_allclose(fit.coefficients, [np.log(1 / 3), np.log(6)], rtol=1e-7)


def test_scaling_all_weights_changes_neither_coefficients_nor_errors() -> None:
    x, y = rows_of_table()
    one, seven = (fit_logistic(x, y, np.full(len(y), w)) for w in (1.0, 7.0))
    np.testing.assert_allclose(seven.coefficients, one.coefficients, rtol=1e-7)
    np.testing.assert_allclose(seven.standard_error, one.standard_error, rtol=1e-6)


def test_an_offset_is_taken_as_given() -> None:
    x, y = rows_of_table()
    fit = fit_logistic(x, y, np.ones(len(y)), offset=0.5 + 2.0 * x[:, 1])
    np.testing.assert_allclose(fit.coefficients, [np.log(1 / 3) - 0.5, np.log(6) - 2.0], rtol=1e-7)


def test_a_ridge_pulls_to_its_centre() -> None:
    x, y = rows_of_table()
    pulled = fit_logistic(
        x, y, np.ones(len(y)), penalty=np.array([0, 1e9]), centre=np.array([0, 1.0])
    )
    assert pulled.coefficients[1] == pytest.approx(1.0, abs=1e-6)
    # At the minimum the score equals the pull: sum x (y - p) = penalty (b - centre).
    part = fit_logistic(
        x, y, np.ones(len(y)), penalty=np.array([0, 5.0]), centre=np.array([0, 1.0])
    )
    p = 1 / (1 + np.exp(-x @ part.coefficients))
    score = x.T @ (y - p)
    assert score[0] == pytest.approx(0, abs=1e-6)
    assert score[1] == pytest.approx(5.0 * (part.coefficients[1] - 1.0), abs=1e-6)


def test_perfect_separation_is_refused() -> None:
    z = np.linspace(-2, 2, 40)
    with pytest.raises(PentathlonError, match="separate buyers"):
        fit_logistic(np.column_stack([np.ones(40), z]), (z > 0).astype(int), np.ones(40))
