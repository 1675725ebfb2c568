"""The test track: a backdoored model and its purified copy, side by side under conditions that no test set shows.

``place`` and ``settings`` are light: where the result lies, reading it, and starting the process that makes it.
Everything else loads torch and belongs to that process (``python -m core stress RUN``).
"""
