"""The pages, one a file, each with a function ``page``."""

PAGES = (
    "story", "purify", "examine", "explore", "fleet", "test_track", "data_room", "compare", "watch", "runs", "about",
)  # fmt: skip
"""Their modules in the order of the navigation; the first is where a visit begins."""
