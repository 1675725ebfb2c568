"""A run from start to end: load, measure, scan, purify, verify, as a stream of events."""
