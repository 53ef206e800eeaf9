"""Jobs of a SLURM cluster: their resources, their scripts and their states."""
