"""Which command runs which version of the code."""

import subprocess
from pathlib import Path

from etram_pipeline.core.provenance import CodeVersion, code_version


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_repository_tells_commit_branch_remote_and_changes(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "trunk")
    assert code_version(tmp_path) is None  # there is no commit yet
    (tmp_path / "code.py").write_text("1")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "-q", "-m", "begin")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert code_version(tmp_path) == CodeVersion(commit, "trunk", "", has_changes=False)
    git(tmp_path, "remote", "add", "origin", "https://host/code.git")
    (tmp_path / "code.py").write_text("2")
    expected = CodeVersion(commit, "trunk", "https://host/code.git", has_changes=True)
    assert code_version(tmp_path) == expected


def test_a_folder_without_a_repository_has_no_version(tmp_path: Path) -> None:
    assert code_version(tmp_path) is None
