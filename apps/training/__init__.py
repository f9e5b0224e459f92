"""Training the networks: what the subcommand `train` is made of, one concept a file."""
