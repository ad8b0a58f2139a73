"""For tests that say how long something may take."""

import pytest

# A busy machine only adds to a time: what the program itself takes too long for, it takes too long for three times in a row.
by_the_clock = pytest.mark.flaky(reruns=2)
