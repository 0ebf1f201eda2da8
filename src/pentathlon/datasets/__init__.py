"""Kedro datasets of ours."""

from pentathlon.datasets.artifact import ArtifactDataset
from pentathlon.datasets.customer_file import CustomerFileDataset
from pentathlon.datasets.optional import OptionalTableDataset
from pentathlon.datasets.raw_events import RawEventsDataset
from pentathlon.datasets.scored import ParquetFolderDataset, ScoredDataset
from pentathlon.datasets.spark_scored import SparkScoredDataset
from pentathlon.datasets.study_store import StudyStoreDataset

__all__ = [
    "ArtifactDataset",
    "CustomerFileDataset",
    "OptionalTableDataset",
    "ParquetFolderDataset",
    "RawEventsDataset",
    "ScoredDataset",
    "SparkScoredDataset",
    "StudyStoreDataset",
]
