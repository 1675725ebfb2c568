"""The one training loop, and what goes with it: batch norm, a rate that the network bears, checks of the result."""
