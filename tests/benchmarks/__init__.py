"""Benchmarks: ``make bench``. Each module offers ``rows()``: (figure, measured, asked for). No test runs them."""
