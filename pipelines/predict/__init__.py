"""`conservatory predict`: the command, predictions of taggers, and predictions of fitted runs."""
