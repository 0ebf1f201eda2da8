"""Parameters of the pipeline."""

from pentathlon.contract.source import FileContract


class DataProcessingParams(FileContract):
    """``data_processing`` in the parameters: the layout of the retailer's file."""
