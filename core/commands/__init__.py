"""What each command of ``python -m core`` does; ``core.cli`` is the way in."""
