"""What the tests of training share: a synth of three small videos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from vipbench.datasets import synth_write

SIZE = (48, 80)


@pytest.fixture(scope="session")
def small_synth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The splits train and val of synth, cut to two videos and one, at half their height and width."""
    home = tmp_path_factory.mktemp("small-synth")
    with pytest.MonkeyPatch.context() as patch:
        for split, count in (("train", 2), ("val", 1)):
            patch.setitem(synth_write.SPLITS, split, replace(synth_write.SPLITS[split], count=count))
        synth_write.make(home, ["train", "val"], size=SIZE)
    return home
