"""Deciding customers by the million: partitions in, partitions out, in memory that stays flat."""

from pentathlon.scoring.batch import BatchDecider, DecidedBatch
from pentathlon.scoring.job import ScoringJob
from pentathlon.scoring.reference import Reference
from pentathlon.scoring.results import Scored, ScoredFolder, partitions_table, summarise
from pentathlon.scoring.settings import ScoringSettings

__all__ = [
    "BatchDecider",
    "DecidedBatch",
    "Reference",
    "Scored",
    "ScoredFolder",
    "ScoringJob",
    "ScoringSettings",
    "partitions_table",
    "summarise",
]
