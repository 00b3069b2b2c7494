"""Waiting for a state of which no event tells."""

import time

# More than anything here needs on two busy cores. It bounds a failure; a test that claims a time measures that itself.
PATIENCE = 30.0


def poll(condition, what, timeout=PATIENCE):
    """Returns the first true value of condition(). Only where no event tells of the change. `what` may be a function: it is asked
    when the time is over."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what() if callable(what) else what}")
        time.sleep(0.01)
