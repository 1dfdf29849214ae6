"""One file a question: `python -m experiments.NAME` runs what is missing of it, and prints its table."""
