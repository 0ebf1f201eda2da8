"""What happens around a run: its manifest, and readable errors in parameters."""
