"""What the benchmark prints and writes: tables and plots."""
