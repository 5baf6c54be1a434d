"""`synth.json`, what `make` notes of a root: its settings, and of each split its facts and files' hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vipbench.errors import ProblemError

NAME = "synth.json"
SEEN = "least_seen"
"""The key of a split's shares by video and frame, see synth_write.least_seen; roots made before have none."""
FROZEN = {"seed": 0, "size": [96, 160], "every": 1}
"""The settings of the splits whose content is frozen, the defaults of `make`."""
HOMES = ("VIP/*", "DAVIS/*/480p", "Flow")


def again(root: Path) -> str:
    """How to mend a root that is not as it was made."""
    return f"Delete {root} and make it again: vipbench data make synth --out {root}"


def read_manifest(root: Path) -> dict[str, Any]:
    """What `make` wrote down of a root. Raises UserError if it is missing or damaged."""
    path = root / NAME
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
        damage = _damage(manifest)
    except (OSError, ValueError) as error:
        damage = str(error)
    if damage:
        raise ProblemError(path, "the manifest of synth", damage, again(root))
    return manifest


def _damage(manifest: object) -> str | None:
    """What a manifest lacks."""
    if not isinstance(manifest, dict):
        return f"{type(manifest).__name__}"
    kinds = {key: type(value) for key, value in FROZEN.items()} | {"splits": dict}
    wrong = [key for key, kind in kinds.items() if not isinstance(manifest.get(key), kind)]
    if wrong:
        return f"no {wrong[0]!r}, or not one of type {kinds[wrong[0]].__name__}"
    facts = manifest["splits"].items()
    bare = [split for split, of in facts if not (isinstance(of, dict) and {"sha256", "files"} <= of.keys())]
    if bare:
        return f"no hashes of split {bare[0]!r}"
    odd = [split for split, of in facts if not _are_shares(of.get(SEEN, {}))]
    return f"a {SEEN!r} of split {odd[0]!r} that is not numbers by video" if odd else None


def _are_shares(found: object) -> bool:
    if not isinstance(found, dict):
        return False
    rows = found.values()
    return all(isinstance(row, list) and all(isinstance(x, int | float) for x in row) for row in rows)


def settings(manifest: dict[str, Any]) -> dict[str, Any]:
    """Seed, size and every of a manifest."""
    return {key: manifest[key] for key in FROZEN}


def version(root: Path) -> str:
    """ "1" for the frozen settings, else with the settings: "1 seed3 128x224 every5"."""
    made = settings(read_manifest(root))
    size = "x".join(map(str, made["size"]))
    return "1" if made == FROZEN else f"1 seed{made['seed']} {size} every{made['every']}"


def hash_files(root: Path, split: str, videos: Sequence[str]) -> str:
    """sha256 over the paths and bytes of all files of a split, in both layouts."""
    digest = hashlib.sha256()
    for path in sorted(_files(root, split, videos)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _files(root: Path, split: str, videos: Sequence[str]) -> Iterator[Path]:
    """The lists of a split and what lies in its videos' folders; dot names are left out."""
    lists = [f"VIP/lists/{split}_*.txt", f"DAVIS/ImageSets/2016/{split}.txt"]
    for pattern in [*lists, *(f"{home}/{video}/**/*" for home in HOMES for video in videos)]:
        yield from (p for p in root.glob(pattern) if p.is_file() and not p.name.startswith("."))
