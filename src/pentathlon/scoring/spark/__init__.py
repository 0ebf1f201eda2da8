"""Scoring on Spark: the same decisions, on as many machines as there are.

Nothing here imports pyspark before it is used.
"""

from pentathlon.scoring.spark.files import SparkTable
from pentathlon.scoring.spark.job import SparkScoringJob
from pentathlon.scoring.spark.scored import SparkScored, Store
from pentathlon.scoring.spark.session import MissingSparkError, SparkSettings, start_session

__all__ = [
    "MissingSparkError",
    "SparkScored",
    "SparkScoringJob",
    "SparkSettings",
    "SparkTable",
    "Store",
    "start_session",
]
