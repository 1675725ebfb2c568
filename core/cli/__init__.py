"""What each command of ``python -m core`` does; ``core.cli.parser`` is the way in."""
