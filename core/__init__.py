"""Dissolve's engine: find a backdoor in an image classifier and purify it. Knows no Streamlit and no Plotly."""

__version__ = "0.1.0"
