"""The commands of the project. `pentathlon.cli` imports each when it is wanted."""
