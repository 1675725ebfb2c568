"""Untrusted files: uploads, which are stored and unpacked, and the recognition of weights in a separate process."""
