"""Classify clips by one of their labels, with an SVM on vectors."""

OPTIONS = {"target": (None, "word"), "C": (1.0, "positive")}
