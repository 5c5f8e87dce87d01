"""The part of `Trail` that makes dataset versions and training runs from what is seen."""
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Optional, Union, cast

from .datasets import Dataset
from .training import TrainingRun

if TYPE_CHECKING:
    from .client import Trail


class Capturing:
    """Mixed into `Trail`."""

    def dataset(self, dataset: str, version: str, **members: Any) -> Dataset:
        """A dataset version in the making, for a `with` block (see `Dataset`). Members: legal_basis, license, …"""
        return Dataset(cast("Trail", self), dataset, version, **members)

    def training_run(self, training_job_id: Optional[str] = None, *, path: "Union[str, os.PathLike[str]]" = ".",
                     capture: bool = True, **members: Any) -> TrainingRun:
        """A training run, for a `with` block (see `TrainingRun`). Without an id it gets one that no other run has.

        `path` is in the repository of the training code. Members given here (triggered_by, on_behalf_of, …) go before
        what is found out; `capture=False` finds out nothing.
        """
        return TrainingRun(cast("Trail", self), training_job_id, path=path, capture=capture, **members)
