"""Features equal those that a slow reference computes moment by moment."""

import pandas as pd
import pytest


@pytest.mark.parametrize("seed", [1, 2])
def test_every_declared_feature_equals_the_reference(seed, small, features, compute):
    tables = small.small_tables(seed)
    rows = small.small_rows(tables, seed)
    found = compute(tables, rows, features)
    expected = small.reference_features(tables, rows, features)
    assert list(found.columns) == [*rows.columns, *(f.name for f in features)]
    for feature in features:
        left, right = found[feature.name], expected[feature.name]
        if feature.kind == "label":
            assert left.tolist() == right.tolist(), feature.name
        else:
            pd.testing.assert_series_equal(
                left, right.astype("float64"), rtol=1e-9, atol=2e-5, obj=feature.name
            )
