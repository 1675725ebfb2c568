"""The proof of a cure: tests for what is left of a backdoor, on images and triggers that no purification used."""
