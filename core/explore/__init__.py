"""Computations for the page Explore: features, neighbours, suspicion, other maps, saliency.

``place`` is light: it has the paths of the results, reads them, and starts the process that makes them. Everything else
loads torch and belongs to that process (``python -m core explore RUN``).
"""
