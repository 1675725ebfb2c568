"""What the machine offers: the processor and its precision, memory, and small helpers for long work."""
