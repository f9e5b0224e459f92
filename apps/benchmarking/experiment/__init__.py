"""What is trained and compared: options, settings of a run, protocols of papers."""
