"""Computations for the page Explore: features, neighbours, suspicion, other maps, saliency.

``place`` is light: it has the paths of the results, reads them, and starts the process that makes them; ``pictures``
likewise, of pictures that a visitor gives; ``settled`` names settings. Everything else loads torch or umap-learn and
belongs to that process (``python -m core explore RUN``).
"""
