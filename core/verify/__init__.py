"""The proof of a cure: tests for what is left of a backdoor, on images and triggers that no purification used.

To read in this order: ``comparison`` is what all tests measure with. ``proof`` makes them one after the other.
``probes`` reconstructs fresh triggers from the victim, ``core.scan.shared`` triggers that work on victim and purified
model, ``path`` goes back towards the victim, ``revival`` retunes. ``grade`` weighs what they found;
``core.events.Verified`` says what each reason means. ``effort`` counts the work of the tests, for their progress.
"""
