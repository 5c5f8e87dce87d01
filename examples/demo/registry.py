"""A small model registry on disk, as teams have one, that logs each access to the trail."""
from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any, Dict, List

import paths
import mltrail


class ModelRegistry:
    """Folders NAME/VERSION, each with the model's files and a card."""

    def __init__(self, folder: Path, trail: mltrail.Trail, role: str) -> None:
        self._folder = folder
        self._trail = trail
        self._role = role

    def _access(self, action: str, what: str, purpose: str) -> None:
        # Logged before anything is handed out: an access that cannot be recorded does not happen.
        self._trail.log_access(action, "model_registry", what, principal=self._role,
                               source={"address": "127.0.0.1", "host": "demo", "user_agent": "model-registry"},
                               outcome="allowed", purpose=purpose)

    def register(self, model: str, version: str, source: Path, card: Dict[str, Any]) -> mltrail.DirectoryDigest:
        """Takes the files in."""
        self._access("create", f"{model}/{version}", "registration")
        target = self._folder / model / version
        shutil.copytree(source, target / "files")
        (target / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        return mltrail.hash_directory(target / "files")

    def versions(self, model: str, purpose: str) -> List[str]:
        """What is there."""
        self._access("list", model, purpose)
        return sorted(folder.name for folder in (self._folder / model).iterdir())

    def card(self, model: str, version: str, purpose: str) -> Dict[str, Any]:
        """What the team wrote about a version."""
        self._access("read", f"{model}/{version}", purpose)
        loaded = json.loads((self._folder / model / version / "card.json").read_text(encoding="utf-8"))
        assert isinstance(loaded, dict)
        return loaded

    def load(self, model: str, version: str, purpose: str) -> "tuple[Any, mltrail.DirectoryDigest]":
        """The model, and the digest of the very files that it was loaded from."""
        self._access("read", f"{model}/{version}", purpose)
        files = self._folder / model / version / "files"
        digest = mltrail.hash_directory(files)
        with (files / "model.pickle").open("rb") as file:
            return pickle.load(file), digest
