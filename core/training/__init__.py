"""The one training loop, with its helpers: batch-norm statistics, choice of the learning rate, check for divergence."""
