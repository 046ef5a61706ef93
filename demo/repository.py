"""A real git repository: a bare origin, and a clone for each developer, on hermetic settings.

Nothing of the machine's own git configuration is read, and every commit carries an identity of the cast.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from demo.cast import CAST, Person

NULL_SHA: Final = "0" * 40
_SEPARATOR: Final = "\x1f"
_FORMAT: Final = _SEPARATOR.join(("%H", "%T", "%P", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%B"))
_LIMIT_S: Final = 60


class GitFault(Exception):
    """git did not do what it was asked; the words are git's own."""


class Commit(NamedTuple):
    """One commit as git tells it; the paths it touched, against its first parent."""

    sha: str
    tree: str
    parents: list[str]
    author: tuple[str, str, str]
    committer: tuple[str, str, str]
    text: str
    added: list[str]
    modified: list[str]
    removed: list[str]


class Size(NamedTuple):
    """How large a change is."""

    commits: int
    additions: int
    deletions: int
    files: int


def clean_environment(home: Path) -> dict[str, str]:
    """The environment of everything that runs in the town: nothing of the house's own."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "HOME": str(home)}


class Git:
    """git in one folder."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self._home = folder, home

    def run(self, *arguments: str, by: Person | None = None) -> str:
        """What git prints. GitFault with its words if it fails or takes more than a minute."""
        environment = clean_environment(self._home) | {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }
        if by:
            for role in ("AUTHOR", "COMMITTER"):
                environment |= {f"GIT_{role}_NAME": by.name, f"GIT_{role}_EMAIL": by.email}
        command = ["git", "-c", "gc.autoDetach=false", "-c", "core.hooksPath=/dev/null", *arguments]
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_LIMIT_S,
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise GitFault(f"git {arguments[0]} took longer than {_LIMIT_S} s") from None
        if done.returncode:
            raise GitFault(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode(errors="replace")

    def sha(self, name: str) -> str:
        """The commit that a name stands for."""
        return self.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").strip()

    def commits(self, before: str, after: str) -> list[Commit]:
        """The commits that `after` has and `before` has not, oldest first."""
        span = after if before == NULL_SHA else f"{before}..{after}"
        shas = self.run("rev-list", "--reverse", "--topo-order", span).split()
        return [self.commit(sha) for sha in shas]

    def commit(self, sha: str) -> Commit:
        """One commit."""
        told = self.run("show", "--no-patch", f"--format={_FORMAT}", sha).split(_SEPARATOR)
        listed = self.run(
            "diff-tree", "--root", "-r", "--no-commit-id", "--name-status", "-m", "--first-parent", sha
        )
        touched: dict[str, list[str]] = {"A": [], "M": [], "D": []}
        for line in listed.splitlines():
            letter, _, path = line.partition("\t")
            touched.setdefault(letter[:1], []).append(path)
        return Commit(
            sha=told[0],
            tree=told[1],
            parents=told[2].split(),
            author=(told[3], told[4], told[5]),
            committer=(told[6], told[7], told[8]),
            text=told[9].strip(),
            added=touched["A"],
            modified=touched["M"],
            removed=touched["D"],
        )

    def size(self, base: str, head: str) -> Size:
        """The size of the change from where `head` left `base`."""
        count = int(self.run("rev-list", "--count", f"{base}..{head}"))
        added = deleted = files = 0
        for line in self.run("diff", "--numstat", f"{base}...{head}").splitlines():
            plus, minus, _ = line.split("\t", 2)
            added, deleted, files = added + int(plus), deleted + int(minus), files + 1
        return Size(count, added, deleted, files)


class Clone(Git):
    """A developer's own clone."""

    def __init__(self, folder: Path, home: Path, person: Person) -> None:
        super().__init__(folder, home)
        self.person = person

    def read(self, path: str) -> str:
        """The text of a file in the working tree."""
        return (self.folder / path).read_text()

    def sync(self) -> str:
        """Goes to the newest main, whatever was left lying about. Gives its sha."""
        self.run("fetch", "--quiet", "--prune", "origin")
        self.run("checkout", "--quiet", "--force", "-B", "main", "origin/main")
        self.run("clean", "--quiet", "--force", "-d", "-x")
        return self.sha("HEAD")

    def branch(self, name: str) -> None:
        """Starts a branch from here."""
        self.run("checkout", "--quiet", "-B", name)

    def save(self, title: str, files: Mapping[str, str]) -> str:
        """Writes files and commits them. Gives the sha."""
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        self.run("add", "--all", "--", *files)
        self.run("commit", "--quiet", "--message", title, by=self.person)
        return self.sha("HEAD")

    def push(self, ref: str) -> None:
        """Pushes a branch or tag; a branch of one's own may be replaced."""
        force = () if ref == "main" else ("--force",)
        self.run("push", "--quiet", *force, "origin", ref)

    def merge(self, branch: str, title: str) -> str:
        """Merges a pushed branch into the newest main and pushes it. Gives the merge's sha."""
        self.sync()
        self.run("merge", "--quiet", "--no-ff", "--message", title, f"origin/{branch}", by=self.person)
        self.push("main")
        return self.sha("HEAD")

    def revert_merge(self, sha: str, title: str) -> str:
        """Takes back a merge, on the branch that is checked out. Gives the new sha."""
        self.run("revert", "--no-commit", "--mainline", "1", sha, by=self.person)
        self.run("commit", "--quiet", "--message", title, by=self.person)
        return self.sha("HEAD")

    def restore(self, sha: str, title: str) -> str:
        """Makes the tree that of an earlier commit, on the branch that is checked out. Gives the new sha."""
        self.run("rm", "--quiet", "-r", ".")
        self.run("checkout", "--quiet", sha, "--", ".")
        self.run("commit", "--quiet", "--allow-empty", "--message", title, by=self.person)
        return self.sha("HEAD")


class Origin(Git):
    """The bare repository that everybody pushes to."""

    def __init__(self, folder: Path, home: Path, clones: Path) -> None:
        super().__init__(folder, home)
        self._clones = clones

    def exists(self) -> bool:
        """Whether there is anything on main."""
        return (self.folder / "refs/heads/main").exists() or (self.folder / "packed-refs").exists()

    def create(self, seed: Path) -> str:
        """Makes the repository with the service's first commits, one by each of the cast. Gives the last sha.

        So the hub tells from the first push on whose address belongs to which login.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run("init", "--quiet", "--bare")
        self.run("symbolic-ref", "HEAD", "refs/heads/main")
        first = self.clone(CAST[0])
        shutil.copytree(
            seed, first.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", ".*_cache")
        )
        first.run("checkout", "--quiet", "-B", "main")
        first.run("add", "--all")
        first.run("commit", "--quiet", "--message", "Quote the price of a basket", by=first.person)
        owners = first.folder / "OWNERS"
        for person in CAST[1:]:
            with owners.open("a") as file:
                file.write(f"{person.login}\n")
            first.run("add", "OWNERS")
            first.run("commit", "--quiet", "--message", f"Let {person.login} own it too", by=person)
        first.push("main")
        return first.sha("HEAD")

    def clone(self, person: Person) -> Clone:
        """A person's clone, made when first needed."""
        folder = self._clones / person.login
        if not (folder / ".git").exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            self.run("clone", "--quiet", "--no-hardlinks", str(self.folder), str(folder))
        return Clone(folder, self._home, person)

    def fresh(self, sha: str, folder: Path) -> Git:
        """A commit checked out into a folder that did not exist."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.run("clone", "--quiet", "--no-hardlinks", "--no-checkout", str(self.folder), str(folder))
        checked_out = Git(folder, self._home)
        checked_out.run("-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", sha)
        return checked_out

    def versions(self) -> list[tuple[int, int, int]]:
        """The versions that were tagged, lowest first."""
        names = self.run("tag", "--list", "v*.*.*").split()
        return sorted(_version(name) for name in names)


def _version(tag: str) -> tuple[int, int, int]:
    major, minor, patch = map(int, tag.removeprefix("v").split("."))
    return major, minor, patch
