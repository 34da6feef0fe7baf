"""What holds for every test."""

from hypothesis import settings

pytest_plugins = ["tests.skips"]

# A shared machine may stall any single example for longer than Hypothesis' deadline of 200 ms.
settings.register_profile("headgate", deadline=None)
settings.load_profile("headgate")
