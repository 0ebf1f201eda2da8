from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentathlon.errors import EvaluationError
from pentathlon.evaluation import holm, two_sided_p


def test_p_values_by_hand() -> None:
    assert two_sided_p(1.959963984540054, 1.0) == pytest.approx(0.05, abs=1e-12)
    assert two_sided_p(-1.959963984540054, 1.0) == pytest.approx(0.05, abs=1e-12)
    assert two_sided_p(0.0, 0.0) == 1.0
    assert two_sided_p(0.1, 0.0) == 0.0


def test_holm_by_hand() -> None:
    # 4 x 0.01, 3 x 0.03, 2 x 0.04 raised to what came before, 0.2.
    np.testing.assert_allclose(
        holm([0.04, 0.01, 0.2, 0.03]), [0.09, 0.04, 0.2, 0.09], rtol=0, atol=1e-12
    )
    assert holm([]).tolist() == []
    np.testing.assert_allclose(holm([0.6, 0.9]), [1.0, 1.0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_lies_between_no_correction_and_bonferroni(p: list[float]) -> None:
    adjusted = holm(p)
    assert (adjusted >= np.array(p) - 1e-15).all()
    assert (adjusted <= np.minimum(len(p) * np.array(p), 1) + 1e-15).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


def test_false_findings_keep_their_level() -> None:
    """Of a hundred batches of ten true nulls about five find anything at 5 %."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal((2_000, 10))
    found = [(holm([two_sided_p(v, 1.0) for v in row]) <= 0.05).any() for row in z]
    assert 0.035 < np.mean(found) < 0.065


def test_no_p_value_is_refused() -> None:
    with pytest.raises(EvaluationError, match="expected numbers in"):
        holm([0.5, 1.5])
