"""What is seen: views that answer a hand, predictions, the dashboard of a run, and pictures where nothing runs."""
