"""What a test needs from the machine: skipped with the reason at home, a failure where everything must be present."""

import os

import pytest


def require(condition: object, reason: str) -> None:
    """Go on if `condition` holds; else skip with the reason, or fail when SPILLWATCH_REQUIRE_ALL=1 (as in CI)."""
    if condition:
        return
    if os.environ.get("SPILLWATCH_REQUIRE_ALL") == "1":
        pytest.fail(f"missing here, and SPILLWATCH_REQUIRE_ALL=1: {reason}", pytrace=False)
    pytest.skip(reason)
