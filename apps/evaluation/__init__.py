"""What `parastitch evaluate` is made of: methods and peers, measures, tables, contact sheets."""
