"""What is said to the user when the registry cannot do what was asked."""


class RegistryError(Exception):
    """What is wrong, and what to do; nothing was changed."""
