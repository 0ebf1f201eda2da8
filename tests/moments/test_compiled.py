"""The compiled walk beside the database: the same table, whatever the threads and the passes."""

import numpy as np
import pandas as pd
import pytest

from pentathlon.moments.compiled import MOST_SELECTIONS, _even, can_walk
from pentathlon.moments.database import open_database
from pentathlon.moments.partials import Partial, Selection
from pentathlon.moments.settings import DatabaseSettings


@pytest.mark.parametrize("order", ["customer_id", "moment"])
@pytest.mark.parametrize("changes", [{}, {"threads": 2}, {"rows_per_pass": 23}])
def test_features_on_disk_do_not_depend_on_who_adds_events_up(
    changes, order, small, features, as_arrow, tmp_path
):
    import pyarrow.parquet as pq

    tables = small.small_tables(6)
    # In the order of moments a customer belongs to several passes.
    rows = small.small_rows(tables, 6).sort_values(order, ignore_index=True)
    rows = rows.assign(row_id=range(len(rows)))
    # One pass has no visit at all.
    tables["sessions"] = tables["sessions"][
        tables["sessions"]["customer_id"] > rows["customer_id"].sort_values().iloc[25]
    ]

    def full(_):
        raise RuntimeError("the disk is full")

    found = {}
    for compiled in (False, True):
        settings = DatabaseSettings(**{"threads": 1, "compiled": compiled} | changes)
        with open_database(settings, tmp_path / f"spill-{compiled}") as database:
            read = {}
            for name, table in (tables | {"asked": rows}).items():
                path = tmp_path / f"{name}.parquet"
                pq.write_table(as_arrow(table), path)
                read |= database.read({name: path})
            asked = read.pop("asked")
            out = tmp_path / f"out-{compiled}"
            database.write_features(read, asked, features, out)
            with pytest.raises(RuntimeError, match="the disk is full"):
                database.write_features(read, asked, features, tmp_path / "failed", finish=full)
        parts = sorted(out.glob("*.parquet"))
        found[compiled] = pd.concat([pd.read_parquet(p) for p in parts], ignore_index=True)
        assert [path.name for path in out.parent.iterdir() if "divided" in path.name] == []
    pd.testing.assert_frame_equal(found[True], found[False], check_exact=True)


def test_more_selections_than_a_mask_has_bits_are_left_to_the_database():
    def partials(n, source="orders"):
        return [Partial(source, "sum", Selection("department", str(i))) for i in range(n)]

    assert can_walk(partials(MOST_SELECTIONS) + partials(MOST_SELECTIONS, "returns"))
    assert not can_walk(partials(MOST_SELECTIONS + 1))
    # Windows and columns of one selection share its bit.
    assert can_walk([Partial("orders", "sum", window=days) for days in range(100)])


@pytest.mark.parametrize("work", [[0], [0, 5], [0, 1, 1, 1, 90, 91], [0, 0, 0]])
def test_ranges_cover_every_customer_once(work):
    edges = _even(np.array(work), 4)
    assert edges[0] == 0
    assert edges[-1] == len(work) - 1
    assert (np.diff(edges) > 0).all()
