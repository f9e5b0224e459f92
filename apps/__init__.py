"""The command line: `cli.py` names the subcommands, one file each."""
