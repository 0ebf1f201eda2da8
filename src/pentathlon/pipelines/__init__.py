"""The pipelines: wiring, thin nodes, typed parameters."""
