"""Many models at once: every one is recognised, measured and scanned, and all are ranked by risk. Imports no torch.

``listing`` reads which models there are, ``risk`` and ``step`` judge one, ``rows`` and ``table`` order and write them:
these do no work. ``place`` is the fleet's folder, ``seen`` what was done before, ``engines`` where runs are worked on,
``make`` the work itself, ``page`` the summary to print.
"""
