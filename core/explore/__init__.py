"""What the page Explore needs of the networks: features, neighbours, suspicion, other maps, saliency.

``place`` is light: where results lie, reading them, and starting the process that makes them; ``pictures`` likewise, of
pictures that a visitor gives; ``settled`` names settings. Everything else loads torch or umap-learn and belongs to that
process (``python -m core explore RUN``).
"""
