"""Fast forms of the recurrences, each beside the plain loop that it equals."""
