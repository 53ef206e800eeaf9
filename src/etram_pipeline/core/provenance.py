"""The command that started a run, and the version of the code."""

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from etram_pipeline.core.masking import mask_arguments


@dataclass(frozen=True)
class CodeVersion:
    """State of a git repository.

    Attributes:
        commit: Hash of the commit.
        branch: Name of the branch; `HEAD` without one.
        remote: URL of the remote `origin`, possibly with a password; empty without one.
        has_changes: Whether files differ from the commit.
    """

    commit: str
    branch: str
    remote: str
    has_changes: bool


def command_line() -> str:
    """The command that was typed, without secrets."""
    return shlex.join(["kedro", *mask_arguments(sys.argv[1:])])


def code_version(folder: Path) -> CodeVersion | None:
    """Version of the code in a folder; None without a repository, a commit or git itself."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    return CodeVersion(
        commit=commit,
        branch=_git(folder, "rev-parse", "--abbrev-ref", "HEAD"),
        remote=_git(folder, "remote", "get-url", "origin"),
        has_changes=bool(_git(folder, "status", "--porcelain", "--untracked-files=no")),
    )


def _git(folder: Path, *words: str) -> str:
    # Without optional locks, so that it never blocks a git command of the user.
    command = ["git", "--no-optional-locks", *words]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError:
        return ""
    return "" if done.returncode else done.stdout.strip()
