"""The keys for what is kept outside of the database: from the settings, or from a file made on first use.

cryptography takes 8 MB, so it is loaded by those who need it only.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


def keyring(keys: Sequence[str], file: Path) -> MultiFernet:
    """Encrypts with the first key, decrypts with any. Raises OSError, and ValueError where the file holds no key."""
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys or [_kept(file)]])


def _kept(file: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return file.read_text(encoding="ascii").strip()
    _make(file)
    return file.read_text(encoding="ascii").strip()


def _make(file: Path) -> None:
    """Whole or not at all; of several processes that make one at once, the first one's stays."""
    from cryptography.fernet import Fernet

    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writing:
            writing.write(Fernet.generate_key() + b"\n")
            writing.flush()
            os.fsync(writing.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
    finally:
        draft.unlink(missing_ok=True)
