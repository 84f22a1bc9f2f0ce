"""Scores and checks: clustering, tagging, intervals, split audits. Arrays in, numbers out; no files, no plots."""
