"""Live commands: clients of the daemon's API and nothing else."""
