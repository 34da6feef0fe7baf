"""Time and chance as arguments, so that whatever depends on them can be tested without waiting."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds that never go backwards; only differences have a meaning."""

monotonic: Clock = time.monotonic
