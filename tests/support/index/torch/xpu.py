"""The stand-in never has a graphics processor."""


def is_available():
    return False


def device_count():
    return 0
