"""What an evaluation writes: tables, contact sheets, and the folder that they go to."""
