"""The proof of a cure: what is left of a backdoor, asked of tests that the purification never saw."""
