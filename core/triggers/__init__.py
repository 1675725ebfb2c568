"""Triggers that are not the attacker's: reconstructed ones, and random stamps."""
