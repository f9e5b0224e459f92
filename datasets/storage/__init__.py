"""Data sets on disk: folders, shards, verification."""
