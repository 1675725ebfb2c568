"""What the page Explore needs of the networks: features, neighbours, suspicion, other maps, saliency.

``place`` is light: where results lie, reading them, and starting the process that makes them. Everything else loads
torch and belongs to that process (``python -m core explore RUN``).
"""
