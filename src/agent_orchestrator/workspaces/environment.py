"""Making sure that checks in a checkout run the checkout's code."""

from collections.abc import Mapping
from pathlib import Path


def check_environment(project: Path, checkout: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for checks in *checkout*."""
    return dict(environment)
