"""A command as a process: its options, its streams, the signals that end it, its exit code."""
