"""Hyper-parameter studies that can be interrupted, continued and trusted.

A study is stored under a fingerprint of everything that its results depend on: the data, the
search space, the folds, the seed, the sampling. Change any of them and a new study starts; change
nothing and a finished study is reused as it is; ask for more trials and only those are run.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel

from pentathlon import __version__
from pentathlon.errors import ParameterError
from pentathlon.models.protocol import TrainingRows
from pentathlon.models.search_space import SearchDimension, check_search_space
from pentathlon.models.training import Fitter, Report, cross_validate, silent

STARTUP_TRIALS = 5


@dataclass(frozen=True)
class StudyStore:
    """Where studies live.

    Attributes
    ----------
    path : Path or None
        SQLite file; ``None`` keeps studies in memory.
    """

    path: Path | None

    def storage(self) -> Any:
        """Optuna storage on the file."""
        import optuna

        if self.path is None:
            return optuna.storages.InMemoryStorage()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return optuna.storages.RDBStorage(f"sqlite:///{self.path.as_posix()}")


@dataclass(frozen=True)
class TuningResult:
    """Outcome of tuning one model.

    Attributes
    ----------
    parameters : dict
        Hyper-parameters to fit with, early stopping's findings included.
    log_loss : float
        Their cross-validated log loss.
    trials : DataFrame
        One row per trial: number, state, log_loss, seconds, one column per hyper-parameter.
    fingerprint : str
    """

    parameters: dict[str, Any]
    log_loss: float
    trials: pd.DataFrame
    fingerprint: str


def fingerprint(
    fitter: Fitter,
    rows: TrainingRows,
    fold: NDArray[np.integer],
    space: Mapping[str, SearchDimension],
    folds: list[int],
) -> str:
    """Digest of everything that a trial's result depends on, besides its hyper-parameters."""
    digest = hashlib.sha256()
    for array in (
        rows.design.base,
        rows.design.match,
        rows.message,
        rows.response,
        rows.sampling_weight,
        fold,
    ):
        digest.update(str((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).data)
    settings = {
        "version": __version__,
        "model": fitter.model.name,
        "defaults": fitter.model.hyperparameters().model_dump(),
        "non_buyers_per_buyer": fitter.non_buyers_per_buyer,
        "seed": fitter.seed,
        "folds": folds,
        "space": {
            name: d.model_dump() if isinstance(d, BaseModel) else d for name, d in space.items()
        },
    }
    digest.update(json.dumps(settings, sort_keys=True).encode())
    return digest.hexdigest()[:16]


def tune(
    fitter: Fitter,
    rows: TrainingRows,
    fold: NDArray[np.integer],
    space: Mapping[str, SearchDimension],
    *,
    n_trials: int,
    tuning_folds: int,
    store: StudyStore,
    timeout: float | None = None,
    report: Report = silent,
) -> TuningResult:
    """Search hyper-parameters by the tree-structured Parzen estimator (Bergstra et al. 2011).

    Every trial draws from a sampler seeded by its own number, so a study that was interrupted
    and continued gives the same result as one that was not.

    Parameters
    ----------
    fitter : Fitter
    rows : TrainingRows
        All training rows; each trial is fitted on case-control samples and judged by the log
        loss on natural-rate rows of the held-out folds.
    fold : ndarray of int, shape (n,)
    space : mapping of str to SearchDimension
    n_trials : int
        Trials that the study should have in the end, those it already has included.
    tuning_folds : int
        Number of folds held out per trial.
    store : StudyStore
    timeout : float, optional
        Seconds after which no new trial starts. What fits into a time depends on the machine,
        so runs with a timeout need not repeat each other.
    report : callable

    Returns
    -------
    TuningResult

    Raises
    ------
    ParameterError
        When the search space names what the model does not have, or no trial completed.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    check_search_space(dict(space), {}, fitter.model.hyperparameters)
    folds = [int(f) for f in np.unique(fold)[:tuning_folds]]
    key = fingerprint(fitter, rows, fold, space, folds)
    study = optuna.create_study(
        study_name=f"{fitter.model.name}-{key}",
        storage=store.storage(),
        direction="minimize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=2),
    )
    _enqueue_interrupted(study)
    done = _finished(study)
    if len(done) >= n_trials:
        report(f"the study is finished ({len(done)} trials) and reused as it is")
    elif done:
        report(f"continuing the study with {len(done)} of {n_trials} trials done")
    started = time.perf_counter()
    while (number := len(_finished(study))) < n_trials:
        if timeout is not None and number > 0 and time.perf_counter() - started > timeout:
            report(f"stopped at the timeout of {timeout:g} s with {number} trials")
            break
        study.sampler = optuna.samplers.TPESampler(
            seed=fitter.seed + 7919 * number, n_startup_trials=STARTUP_TRIALS
        )
        study.optimize(_objective(fitter, rows, fold, space, folds), n_trials=1, catch=(), n_jobs=1)
        report(_progress(study, n_trials, time.perf_counter() - started))
    return _result(study, key, fitter)


def fixed_result(fitter: Fitter, parameters: Mapping[str, Any]) -> TuningResult:
    """Result that skips tuning and takes the given hyper-parameters.

    Raises
    ------
    ParameterError
        When the model does not have them.
    """
    check_search_space({}, dict(parameters), fitter.model.hyperparameters)
    complete = fitter.model.hyperparameters.model_validate(dict(parameters)).model_dump()
    trials = pd.DataFrame([{"number": 0, "state": "FIXED", "log_loss": np.nan, **complete}])
    return TuningResult(complete, float("nan"), trials, "fixed")


def _objective(
    fitter: Fitter,
    rows: TrainingRows,
    fold: NDArray[np.integer],
    space: Mapping[str, SearchDimension],
    folds: list[int],
) -> Callable[[Any], float]:
    import optuna

    def objective(trial: Any) -> float:
        parameters = {name: dimension.suggest(trial, name) for name, dimension in space.items()}

        def on_step(step: int, loss: float) -> None:
            trial.report(loss, step)
            if trial.should_prune():
                raise optuna.TrialPruned

        result = cross_validate(fitter, rows, fold, parameters, folds, on_step)
        if not np.isfinite(result.log_loss):  # a fit that diverged; a failed trial would repeat
            raise optuna.TrialPruned
        trial.set_user_attr("fitted_parameters", result.fitted_parameters)
        return result.log_loss

    return objective


def _finished(study: Any) -> list[Any]:
    import optuna

    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return list(study.get_trials(deepcopy=False, states=states))


def _enqueue_interrupted(study: Any) -> None:
    """Close trials that a killed run left open, so that they do not count as done."""
    import optuna

    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)


def _progress(study: Any, n_trials: int, seconds: float) -> str:
    done = _finished(study)
    last = done[-1]
    outcome = f"log loss {last.value:.6f}" if last.state.name == "COMPLETE" else "pruned"
    complete = [trial.value for trial in done if trial.state.name == "COMPLETE"]
    best = f"best {min(complete):.6f}" if complete else "none completed yet"
    return f"trial {len(done)}/{n_trials}: {outcome}, {best} ({seconds:.0f} s)"


def _result(study: Any, key: str, fitter: Fitter) -> TuningResult:
    finished = sorted(_finished(study), key=lambda t: t.number)
    complete = [t for t in finished if t.state.name == "COMPLETE"]
    if not complete:
        raise ParameterError(
            f"{fitter.model.name}: no trial completed; raise n_trials or the timeout."
        )
    best = min(complete, key=lambda t: (t.value, t.number))
    records = [
        {
            "number": position,
            "state": t.state.name,
            "log_loss": t.value if t.state.name == "COMPLETE" else np.nan,
            "seconds": t.duration.total_seconds() if t.duration else np.nan,
            **t.params,
        }
        for position, t in enumerate(finished)
    ]
    return TuningResult(
        parameters=dict(best.user_attrs["fitted_parameters"]),
        log_loss=float(best.value),
        trials=pd.DataFrame(records),
        fingerprint=key,
    )
