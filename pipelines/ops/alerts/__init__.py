"""Telling somebody that a run failed, a check did not hold, or a promotion was refused: by e-mail, webhook or a command.

Nothing is sent unless the user has said where to. Sending is bounded in time, never raises, and never fails a run.
"""
