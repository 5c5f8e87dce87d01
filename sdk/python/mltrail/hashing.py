"""Digests of files and directories.

A directory gets two, because each says what the other does not:

    dirHash   SHA-256 over the lines "<hex>  <path>\\n", paths in byte order (in-toto, Go's h1). Binds the names.
              The same as   find . -type f | cut -c3- | LC_ALL=C sort | xargs -r sha256sum | sha256sum
    oms       the root digest of OpenSSF Model Signing, as its signatures name it: SHA-256 over the files' raw
              digests, paths ordered component by component. Binds the order, not the names; the manifest does.
"""
from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Dict, Iterable, List, Tuple, Union

PathLike = Union[str, "os.PathLike[str]"]
_READ_SIZE = 1 << 20
# What Model Signing leaves out by default, at the top of the model.
_OMS_IGNORED = (".git", ".github", ".gitattributes", ".gitignore")


@dataclass(frozen=True)
class FileEntry:
    """One file of a directory. `path` is relative, with "/"."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class DirectoryDigest:
    """Both digests, and the manifest that they are made from."""

    dir_hash: str
    oms: str
    files: Tuple[FileEntry, ...]

    @property
    def digests(self) -> Dict[str, str]:
        """As a digest set, the form that records take. A single file has its plain `sha256` in place of a dirHash."""
        if [file.path for file in self.files] == ["."]:
            return {"sha256": self.files[0].sha256, "oms": self.oms}
        return {"dirHash": self.dir_hash, "oms": self.oms}

    @property
    def manifest(self) -> List[Dict[str, Any]]:
        """Model Signing's `resources`, which bind the names that its root digest leaves out."""
        return [{"name": file.path, "algorithm": "sha256", "digest": file.sha256}
                for file in sorted(self.files, key=_by_component) if _in_oms(file)]


def hash_file(path: PathLike) -> str:
    """The file's SHA-256 as `sha256:<hex>`."""
    return "sha256:" + _sha256(Path(path))[0]


def hash_directory(path: PathLike, ignore: Iterable[str] = ()) -> DirectoryDigest:
    """Both digests of a directory, or of one file as Model Signing sees it (its name is then ".").

    `ignore` names files or folders, relative to `path`, that count for neither digest. A symbolic link is an error: what
    it points to can change without any file here changing.
    """
    top = Path(path)
    ignored = [PurePosixPath(name) for name in ignore]
    files = tuple(_files(top, ignored))
    if not files:
        raise ValueError(f"{top} holds no files: nothing to hash")
    by_bytes = sorted(files, key=lambda file: os.fsencode(file.path))
    names = hashlib.sha256()
    for file in by_bytes:
        names.update(f"{file.sha256}  ".encode("ascii") + os.fsencode(file.path) + b"\n")
    roots = hashlib.sha256()
    for file in sorted(files, key=_by_component):
        if _in_oms(file):
            roots.update(bytes.fromhex(file.sha256))
    return DirectoryDigest(names.hexdigest(), roots.hexdigest(), tuple(by_bytes))


def _by_component(file: FileEntry) -> Tuple[str, ...]:
    return PurePosixPath(file.path).parts


def _in_oms(file: FileEntry) -> bool:
    parts = PurePosixPath(file.path).parts
    return not parts or parts[0] not in _OMS_IGNORED


def _files(top: Path, ignored: List[PurePosixPath]) -> Iterable[FileEntry]:
    if top.is_file() and not top.is_symlink():
        digest, size = _sha256(top)
        yield FileEntry(".", digest, size)
        return
    if not top.is_dir():
        raise FileNotFoundError(f"{top}: no such file or directory")
    for folder, folders, names in os.walk(top):
        for name in names + [name for name in folders if (Path(folder) / name).is_symlink()]:
            full = Path(folder) / name
            relative = PurePosixPath(full.relative_to(top).as_posix())
            if any(relative == skip or skip in relative.parents for skip in ignored):
                continue
            if full.is_symlink():
                raise ValueError(f"{full} is a symbolic link: copy what it points to, or name it in ignore")
            if "\n" in name:
                raise ValueError(f"{str(full)!r} has a line break in its name, which dirHash cannot express")
            if not full.is_file():
                raise ValueError(f"{full} is neither a file nor a folder: name it in ignore")
            try:
                str(relative).encode("utf-8")
            except UnicodeEncodeError:
                raise ValueError(f"{str(full)!r}: the name is no UTF-8, which a manifest cannot hold: rename it") from None
            digest, size = _sha256(full)
            yield FileEntry(str(relative), digest, size)


def _sha256(path: Path) -> Tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        for block in iter(lambda: file.read(_READ_SIZE), b""):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size
