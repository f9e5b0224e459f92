"""Public multi-task data sets, read from where their owners' archives were unpacked; docs/public-datasets.md."""
