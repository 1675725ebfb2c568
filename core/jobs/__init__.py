"""Work in processes of their own: starting and reaping them, who they are, locks, and the notes they leave."""
