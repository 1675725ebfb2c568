"""Runs: their records on disk, the worker process that writes them and the supervisor that starts and steers it."""
