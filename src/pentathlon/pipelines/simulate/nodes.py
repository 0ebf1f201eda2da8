"""Nodes of the pipeline."""

from __future__ import annotations

import pandas as pd

from pentathlon.errors import ParameterError
from pentathlon.pipelines.simulate.params import SimulateParams
from pentathlon.simulation import simulate_retailer


def simulate(params: SimulateParams) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulate a retailer.

    Parameters
    ----------
    params : SimulateParams

    Returns
    -------
    file, truth : DataFrame
        The file in the case's own format, and the truth about every customer and message.

    Raises
    ------
    ParameterError
        In an environment for real data.
    """
    if not params.enabled:
        raise ParameterError(
            "This environment is for real data and does not simulate. "
            "Add `--pipelines engine` to the command."
        )
    retailer = simulate_retailer(params)
    return retailer.file, retailer.truth
