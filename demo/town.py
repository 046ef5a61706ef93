"""The people of the town, and what they do all day: write, review, merge, repair, go back.

A story reacts to what really happened: whether tests failed is known only after they ran, and whether a
version runs only after it was started. Chance (with a seed) decides who does what, and when.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from demo.cast import ADA, AUTHORS, CAST, ON_CALL, OWNER, Person
from demo.edits import CHANGES, EDITS, Edit, Tree, Work, example
from demo.faults import Fault
from demo.hub import Change
from demo.pipeline import SERVICE
from demo.repository import NULL_SHA, Clone, Commit, GitFault
from demo.runs import DELIVERED, PLACES, PRODUCTION, Ground, Runs

SEED_TREE: Final = Path(__file__).with_name("seed")
EVENTS: Final = (
    "push",
    "create",
    "pull_request",
    "pull_request_review",
    "check_run",
    "check_suite",
    "status",
    "workflow_run",
    "workflow_job",
    "deployment",
    "deployment_status",
    "branch_protection_rule",
    "star",
)
# A change begins this many seconds after the one before it, give or take two.
_INTERVAL_S: Final = 17.0
# Stories in a row that git would not let happen, until the demo gives up.
_STUCK: Final = 3


def files(count: int) -> str:
    """How many files, in words."""
    return f"{count} file" if count == 1 else f"{count} files"


class Trouble(NamedTuple):
    """Main does not run: because of this edit, or (None) for reasons that nobody remembers."""

    edit: Edit | None = None
    merge_sha: str = ""
    number: int = 0


class Town:
    """Everybody and everything, one story after the other."""

    def __init__(self, ground: Ground, chance: random.Random) -> None:
        self._at, self._chance = ground, chance
        self._runs = Runs(ground)
        self._trouble: Trouble | None = None

    def open(self) -> None:
        """The first day: repository, first version, first deployments. Later: what ran before runs again."""
        at = self._at
        if at.origin.exists() and at.kept(PRODUCTION):
            return self._open_again()
        if not at.memory.get("pinged"):
            at.post.deliver(at.hub.ping(OWNER, EVENTS))
            at.memory.put("pinged", True)
        sha = at.origin.sha("main") if at.origin.exists() else at.origin.create(SEED_TREE)
        commits = at.origin.commits(NULL_SHA, sha)
        at.post.deliver(at.hub.push("refs/heads/main", NULL_SHA, commits, sha, ADA))
        at.say(f"{ADA.login} pushed the first commits of {SERVICE}: {sha[:8]}")
        self._runs.deliver(sha, commits[-1].text, ADA)
        return None

    def _open_again(self) -> None:
        at = self._at
        at.say("the town goes on where it ended")
        for name in PLACES:
            self._runs.redeploy(at.places[name], ON_CALL, "Start again after the machine was off")
            self._runs.snapshot(at.places[name])
        sha, good = at.origin.sha("main"), at.kept(PRODUCTION)
        if good and sha != good.sha:
            # The demo ended in the middle of a story: main has something that production has not.
            ended = self._runs.deliver(sha, "Deliver what waits on main", ON_CALL)
            self._trouble = None if ended == DELIVERED else Trouble()

    def live(self) -> None:
        """One story after the other, until Ended."""
        at, stuck = self._at, 0
        while True:
            began = at.pace.seconds()
            turn = at.memory.count("turn")
            self._now_and_then(turn)
            try:
                if self._trouble:
                    self._put_right(self._trouble)
                else:
                    self._change(turn)
                stuck = 0
            except GitFault as fault:
                stuck += 1
                at.say(f"a story ended early: {fault}")
                if stuck == _STUCK:
                    raise Fault(5, f"The repository does not work any more: {fault}; try --fresh.") from None
            spent = at.pace.seconds() - began
            at.pace.pause(max(1.0, _INTERVAL_S + self._chance.uniform(-2, 2) - spent))

    def _now_and_then(self, turn: int) -> None:
        at, hub = self._at, self._at.hub
        if turn % 5 == 2:
            event = at.post.deliver_again()
            at.say(f"the hub delivered the last {event} once more")
        if turn % 12 == 3:
            person = self._chance.choice(CAST)
            at.post.deliver(hub.star(person))
            at.say(f"{person.login} starred the repository, which the house sets aside")
        if turn % 9 == 4:
            before = at.memory.get("approvals", 1)
            at.memory.put("approvals", 3 - before)
            at.post.deliver(hub.protection(OWNER, 3 - before, before))
            at.say(f"{OWNER.login} now asks for {3 - before} approvals on main instead of {before}")
        if turn % 7 == 6:
            for name in PLACES:
                self._runs.snapshot(at.places[name])
        if turn % 11 == 8:
            self._runs.redeploy(at.places[PRODUCTION], ON_CALL, "Restart by hand")

    # Changes.

    def _next_edit(self, tree: Callable[[], Tree], turn: int) -> Edit:
        """The next edit of the bank that fits: the first round in its order, then shuffled."""
        for _ in EDITS:
            name = self._next_name()
            try:
                return next(edit for edit in EDITS if edit.__name__ == name)(tree(), turn)
            except ValueError as unfit:
                self._at.say(f"{name} has to wait: {unfit}")
        return example(tree(), turn)

    def _next_name(self) -> str:
        memory = self._at.memory
        left: list[str] = memory.get("left", [])
        if not left:
            left = [edit.__name__ for edit in EDITS]
            if memory.get("rounds", 0):
                self._chance.shuffle(left)
            memory.count("rounds")
        memory.put("left", left[1:])
        return left[0]

    def _change(self, turn: int) -> None:
        author = AUTHORS[turn % len(AUTHORS)]
        clone = self._at.origin.clone(author)
        clone.sync()
        edit = self._next_edit(lambda: Tree(clone.read), turn)
        if edit.topic == "questions" and self._chance.random() < 0.5:
            self._push_to_main(clone, edit)
        else:
            self._carry(clone, edit)

    def _push_to_main(self, clone: Clone, edit: Edit) -> None:
        """Past every review, as it happens."""
        at, before = self._at, clone.sha("HEAD")
        for work in edit.works:
            clone.save(work.title, work.files)
        clone.push("main")
        after = clone.sha("HEAD")
        self._pushed("main", before, after, clone.person)
        at.say(f"{clone.person.login} pushed straight to main: {edit.title}")
        if self._runs.deliver(after, edit.title, clone.person) != DELIVERED:
            self._trouble = Trouble()

    def _carry(self, clone: Clone, edit: Edit) -> None:
        """A change from its branch to production, or as far as it comes."""
        at = self._at
        base = clone.sha("HEAD")
        number = at.memory.count("changes")
        branch = f"{clone.person.login}/{edit.topic}-{number}"
        clone.branch(branch)
        for work in edit.works:
            clone.save(work.title, work.files)
        change = self._opened(clone, edit.title, branch, number, base)
        run = self._runs.review(change, edit.title)
        if run.conclusion != "success":
            if self._chance.random() < 0.3:
                at.pace.pause(0.8)
                run = self._runs.review_again(run, self._other_than(change.author))
            if edit.repair is None or self._chance.random() < 0.12:
                return self._abandon(change)
            at.pace.pause(self._chance.uniform(0.8, 1.6))
            if not self._amend(clone, change, edit.repair):
                return self._abandon(change)
        if not self._agreed(clone, change):
            return self._abandon(change)
        return self._deliver(edit, change)

    def _opened(self, clone: Clone, title: str, branch: str, number: int, base: str) -> Change:
        at, head = self._at, clone.sha("HEAD")
        clone.push(branch)
        at.post.deliver(at.hub.created(branch, "branch", clone.person))
        self._pushed(branch, NULL_SHA, head, clone.person, since=base)
        at.pace.pause(self._chance.uniform(0.2, 0.6))
        size = clone.size(base, head)
        change = at.hub.opened(number, title, branch, clone.person, base, head, size)
        change.reviewers = [self._other_than(clone.person)]
        at.post.deliver(at.hub.change_event("opened", change, clone.person))
        at.counts["changes"] += 1
        at.say(f"{clone.person.login} opened change {number}: {title} ({files(size.files)})")
        return change

    def _pushed(self, branch: str, before: str, after: str, by: Person, since: str | None = None) -> None:
        at = self._at
        commits: list[Commit] = at.origin.commits(since or before, after)
        at.post.deliver(at.hub.push(f"refs/heads/{branch}", before, commits, after, by))

    def _amend(self, clone: Clone, change: Change, work: Work) -> bool:
        """One more commit on a change, tested again. Whether the tests passed."""
        at, before = self._at, change.head
        change.head = clone.save(work.title, work.files)
        clone.push(change.branch)
        change.size = clone.size(change.base_sha, change.head)
        self._pushed(change.branch, before, change.head, clone.person)
        at.post.deliver(at.hub.change_event("synchronize", change, clone.person, before))
        at.say(f"{clone.person.login} added to change {change.number}: {work.title}")
        return self._runs.review(change, change.title).conclusion == "success"

    def _agreed(self, clone: Clone, change: Change) -> bool:
        """Reviews until as many people agree as main asks for. False if the tests fail on the way."""
        at = self._at
        first = change.reviewers[0]
        at.pace.pause(self._chance.uniform(0.8, 2.0))
        if self._chance.random() < 0.25:
            self._review(
                change, first, "changes_requested", f"Add a line to {CHANGES}, so that people hear of it."
            )
            at.pace.pause(self._chance.uniform(0.6, 1.4))
            text = clone.read(CHANGES).rstrip("\n") + f"\n- {change.title}.\n"
            if not self._amend(clone, change, Work("Say what changed", {CHANGES: text})):
                return False
            at.pace.pause(self._chance.uniform(0.5, 1.0))
        self._review(change, first, "approved", None)
        if at.memory.get("approvals", 1) > 1:
            at.pace.pause(self._chance.uniform(0.4, 0.8))
            others = [person for person in CAST if person not in (first, change.author)]
            self._review(change, self._chance.choice(others), "approved", "Reads well.")
        return True

    def _review(self, change: Change, by: Person, state: str, words: str | None) -> None:
        at = self._at
        at.post.deliver(at.hub.reviewed(change, by, state, words))
        did = "approved" if state == "approved" else "asked for changes in"
        at.say(f"{by.login} {did} change {change.number}")

    def _abandon(self, change: Change) -> None:
        at = self._at
        at.pace.pause(0.6)
        change.closed_at = at.hub.time()
        at.post.deliver(at.hub.change_event("closed", change, change.author))
        at.counts["abandoned"] += 1
        at.say(f"{change.author.login} gave up change {change.number}")

    def _deliver(self, edit: Edit | None, change: Change) -> None:
        at = self._at
        at.pace.pause(self._chance.uniform(0.4, 1.0))
        by = self._chance.choice((change.author, change.author, change.reviewers[0]))
        clone = at.origin.clone(by)
        before = clone.sync()
        title = f"Merge change {change.number}: {change.title}"
        sha = clone.merge(change.branch, title)
        change.merged_by, change.merge_sha, change.closed_at = by, sha, at.hub.time()
        at.post.deliver(at.hub.change_event("closed", change, by))
        self._pushed("main", before, sha, by)
        at.counts["merged"] += 1
        at.say(f"{by.login} merged change {change.number}; main is {sha[:8]}")
        ended = self._runs.deliver(sha, title, by)
        if ended != DELIVERED:
            self._trouble = Trouble(edit, sha, change.number)

    def _put_right(self, trouble: Trouble) -> None:
        """Mends a merged edit that does not run, or takes it back, or goes back to what runs."""
        self._trouble = None
        edit, clone = trouble.edit, self._at.origin.clone(self._other_than(OWNER))
        base = clone.sync()
        if edit and edit.mend and self._chance.random() < 0.6:
            return self._carry(clone, Edit(f"mend-{edit.topic}", edit.mend.title, [edit.mend]))
        number = self._at.memory.count("changes")
        branch = f"{clone.person.login}/back-{number}"
        clone.branch(branch)
        if edit:
            title = f"Revert change {trouble.number}: {edit.title}"
            clone.revert_merge(trouble.merge_sha, title)
        else:
            good = self._at.kept(PRODUCTION)
            if good is None:
                return None
            title = f"Go back to {good.version}"
            clone.restore(good.sha, title)
        return self._carry_back(clone, title, branch, number, base)

    def _carry_back(self, clone: Clone, title: str, branch: str, number: int, base: str) -> None:
        """The short way for a change that takes something back: tests and one review."""
        change = self._opened(clone, title, branch, number, base)
        if self._runs.review(change, title).conclusion != "success":
            return self._abandon(change)
        self._at.pace.pause(0.5)
        self._review(change, change.reviewers[0], "approved", None)
        return self._deliver(None, change)

    def _other_than(self, person: Person) -> Person:
        return self._chance.choice([other for other in CAST if other is not person])
