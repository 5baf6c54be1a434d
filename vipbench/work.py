"""What a worker needs to look at a prediction folder: names alone are sent, each worker opens its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vipbench.folders import Folder, open_folder
from vipbench.specs import DatasetSpec
from vipbench.types import Dataset


@dataclass
class FolderWork:
    """A data set and a prediction folder of it at `root`, opened when first asked for."""

    data: DatasetSpec
    root: Path

    @cached_property
    def dataset(self) -> Dataset:
        """The data set itself."""
        return self.data.open()

    @cached_property
    def folder(self) -> Folder:
        """The folder, in the layout that it has."""
        return open_folder(self.root, self.dataset.layers)
