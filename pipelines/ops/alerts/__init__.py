"""Alerts by e-mail, webhook or a command: a run failed, a check failed, a promotion was refused.

Nothing is sent unless the user has named a recipient. Sending is bounded in time, never raises, and never fails a run.
"""
