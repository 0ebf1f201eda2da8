"""Trees of scikit-learn and XGBoost, read into tables that the kernels understand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pentathlon.models.compiled.ensemble import Ensemble, Layout, TreeTable


def forest_ensemble(estimator: Any, layout: Layout) -> Ensemble:
    """Trees of a scikit-learn forest; leaves hold the probability of the second class.

    scikit-learn compares float32 columns with float64 thresholds, ``x <= t`` to the left. For a
    float32 ``x`` that is ``x <= float32(t)`` rounded down, so float32 thresholds lose nothing.
    """
    tables, values, offset = [], [], 0
    for fitted in estimator.estimators_:
        tree = fitted.tree_
        tables.append(
            TreeTable(
                feature=tree.feature.astype(np.int32),
                threshold=float32_below(tree.threshold),
                left=tree.children_left.astype(np.int32),
                right=tree.children_right.astype(np.int32),
                missing_right=tree.missing_go_to_left == 0,
                leaf=offset + np.arange(tree.node_count),
            )
        )
        share = tree.value[:, 0, :]
        values.append(share[:, 1] / share.sum(axis=1))
        offset += tree.node_count
    return Ensemble.of(tables, np.concatenate(values)[:, None], layout)


def booster_ensemble(booster: Any, layout: Layout) -> tuple[Ensemble, NDArray[np.float32]]:
    """Trees of an XGBoost booster and its base score as a margin, shape ``(n_outputs,)``.

    XGBoost compares in float32, ``x < t`` to the left, which is ``x > t'`` to the right with
    ``t'`` the next float32 below ``t``.
    """
    saved = json.loads(bytes(booster.save_raw("json")))
    learner = saved["learner"]
    outputs = max(1, int(learner["learner_model_param"]["num_target"]))
    tables: list[TreeTable] = []
    values: list[NDArray[np.float32]] = []
    offset = 0
    for tree in learner["gradient_booster"]["model"]["trees"]:
        left = np.array(tree["left_children"], dtype=np.int32)
        right = np.array(tree["right_children"], dtype=np.int32)
        condition = np.array(tree["split_conditions"], dtype=np.float32)
        if outputs == 1:
            leaf, value = np.arange(len(left)), condition[:, None]
        else:  # the right child of a leaf is its row among the leaves
            leaf = right.astype(np.int64)
            value = np.array(tree["leaf_weights"], dtype=np.float32).reshape(-1, outputs)
        tables.append(
            TreeTable(
                feature=np.array(tree["split_indices"], dtype=np.int32),
                threshold=np.nextafter(condition, np.float32(-np.inf)),
                left=left,
                right=right,
                missing_right=np.array(tree["default_left"]) == 0,
                leaf=offset + leaf,
            )
        )
        values.append(value)
        offset += len(value)
    leaves = np.concatenate(values) if values else np.zeros((0, outputs), dtype=np.float32)
    return Ensemble.of(tables, leaves, layout), _base_margin(saved, outputs)


def float32_below(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Largest finite float32 that is not above each value.

    scikit-learn's split of missing values from all others has an infinite threshold; nothing
    finite is above the largest float32 either, and a gap that goes right stands above it.
    """
    largest = np.finfo(np.float32).max
    near = np.minimum(values, largest).astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)


def _base_margin(saved: dict[str, Any], outputs: int) -> NDArray[np.float32]:
    """What a booster without its trees predicts: the base score as XGBoost transforms it."""
    import xgboost as xgb

    model = saved["learner"]["gradient_booster"]["model"]
    bare = model | {"trees": [], "tree_info": [], "iteration_indptr": [0]}
    bare["gbtree_model_param"] = model["gbtree_model_param"] | {"num_trees": "0"}
    booster = saved["learner"]["gradient_booster"] | {"model": bare}
    text = json.dumps(saved | {"learner": saved["learner"] | {"gradient_booster": booster}})
    empty = xgb.Booster(model_file=bytearray(text.encode()))
    columns = int(saved["learner"]["learner_model_param"]["num_feature"])
    row = np.zeros((1, columns), dtype=np.float32)
    margin = empty.inplace_predict(row, predict_type="margin")
    return np.asarray(margin, dtype=np.float32).reshape(outputs)
