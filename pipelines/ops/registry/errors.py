"""Errors of the registry, with messages for the user."""


class RegistryError(Exception):
    """What is wrong, and what to do; nothing was changed."""


class Incomparable(RegistryError):
    """Champion and challenger cannot be compared, however often it is tried: a reason to refuse the challenger. What else goes
    wrong (bytes that are not at hand, a record that cannot be read) may be mended, and says nothing about the challenger."""
