"""Errors of the registry, with messages for the user."""


class RegistryError(Exception):
    """The message says what is wrong and what to do. Nothing was changed."""


class Incomparable(RegistryError):
    """Champion and challenger can never be compared, which is a reason to refuse the challenger. Other errors (missing files, an
    unreadable record) can be repaired, and are no reason."""
