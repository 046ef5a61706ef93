"""The page of one deployment: its path, what happened, its commits and checks, and its proof."""

from __future__ import annotations

from typing import Final, NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from deploytrail.app.views import CheckView, DeploymentView, Mark, StepView
from deploytrail.errors import Refused
from deploytrail.projections.checks import called_build
from deploytrail.web import links, numbers, sentences, words
from deploytrail.web.guard import caller_of
from deploytrail.web.hostile import link, shown
from deploytrail.web.render import page


class Stage(NamedTuple):
    """One stop on the path of a change. `done` colours the line to the next stop."""

    name: Markup
    mark: Mark
    first: Markup
    second: Markup | None
    done: bool


class Step(NamedTuple):
    """One line of the timeline: its time, and its date when it is another than the one before."""

    view: StepView
    clock: str
    date: str | None
    link: Markup | None


class Check(NamedTuple):
    """One check with its state."""

    view: CheckView
    mark: Mark
    word: str


def show(request: Request) -> Response:
    """GET /deployments/{key}."""
    web = request.app.state.web
    found: DeploymentView | None = web.house.ask.deployment(request.path_params["key"])
    if found is None:
        raise Refused("not-found", "No deployment has this address. It may have been separated from another.")
    title = sentences.what(found.service, found.version, found.artifact) or found.service
    return page(
        request,
        "deployment.html",
        here="trail",
        d=found,
        title=f"{title} to {found.environment}",
        ran=_ran(found),
        word=_word(found),
        lede=_lede(found, web.house.clock.now()),
        stages=_stages(found),
        steps=_steps(found),
        checks=[check(one) for one in found.checks],
        facts=_facts(found),
        commits_title=_commits_title(found),
        public_url=web.settings.public_url,
        public_log=web.settings.public_log,
    )


def separate(request: Request) -> Response:
    """POST /deployments/{key}/separate: undo the joining of one report."""
    web = request.app.state.web
    key = request.path_params["key"]
    index = numbers.index(request.state.form.get("index"), "index")
    web.house.administer.separate(caller_of(request).by, key, index)
    return RedirectResponse(links.deployment(key), 303)


_WORDS: Final = {"finished": "Ended", "rolledback": "Rolled back"}
# With an actor, and without.
_LEDES: Final = {
    "succeeded": (
        Markup("{actor} deployed it, {when}."),
        Markup("It was deployed {when}; nobody said by whom."),
    ),
    "rollback": (
        Markup("{actor} rolled it back, {when}."),
        Markup("It was rolled back {when}; nobody said by whom."),
    ),
    "redeploy": (
        Markup("{actor} deployed it again, {when}."),
        Markup("It was deployed again {when}; nobody said by whom."),
    ),
    "failed": (
        Markup("{actor} tried to deploy it; it failed, {when}."),
        Markup("It failed {when}; nobody said who deployed it."),
    ),
    "cancelled": (
        Markup("{actor} began to deploy it; it was cancelled, {when}."),
        Markup("It was cancelled {when}; nobody said who began it."),
    ),
    "finished": (
        Markup("{actor} deployed it, {when}; nobody said how it ended."),
        Markup("It ended {when}; nobody said how, or who deployed it."),
    ),
    "running": (
        Markup("{actor} started it, {when}."),
        Markup("It started {when}; nobody said who began it."),
    ),
}


def _word(view: DeploymentView) -> str:
    """The state of the whole in a word."""
    said = "rolledback" if view.mark == "rolledback" else view.status
    return _WORDS.get(said, said.capitalize())


def _lede(view: DeploymentView, now: int) -> Markup:
    """What happened, who did it and when, in whole sentences."""
    key = view.status if view.status in _LEDES else "running"
    if key == "succeeded" and view.type in _LEDES:
        key = view.type
    with_actor, without = _LEDES[key]
    when = words.when(view.at, now)
    if view.actor:
        actor = Markup("<b>{}</b>").format(words.person(view.actor))
        said = [with_actor.format(actor=actor, when=when)]
    else:
        said = [without.format(when=when)]
    if view.replaced_version and _ran(view):
        said.append(Markup("It replaced {}.").format(shown(words.version(view.replaced_version), 80)))
    if view.duration_ms is not None:
        said.append(Markup("It took {}.").format(words.duration(view.duration_ms)))
    if view.running_now:
        said.append(Markup("It runs there now."))
    return Markup(" ").join(said)


def _ran(view: DeploymentView) -> bool:
    """Whether it took the place of what ran before, as far as anybody said."""
    return view.status in ("succeeded", "finished")


def _commits_title(view: DeploymentView) -> str:
    count = len(view.commits) + view.commits_cut
    if not view.commits_known:
        return f"{words.plural(count, 'commit', 'commits')} named" if count else "Commits"
    since = f" since {words.version(view.replaced_version)}" if view.replaced_version else ""
    return f"{words.plural(count, 'commit', 'commits') if count else 'No new commits'}{since}"


_COMMITS: Final = Markup("Commits")
_REVIEW: Final = Markup("Review")
_BUILD: Final = Markup("Build")
_TESTS: Final = Markup("Tests")


def _stages(view: DeploymentView) -> list[Stage]:
    """Commits, review, build, tests, environment: what is known of each, and nothing more."""
    return [
        _commit_stage(view),
        _review_stage(view),
        _build_stage(view),
        _check_stage(_TESTS, [check for check in view.checks if not _is_build(check)]),
        _place_stage(view),
    ]


def _commit_stage(view: DeploymentView) -> Stage:
    if not view.commits:
        known = view.commits_known
        text = "none new" if known else "unknown"
        return Stage(_COMMITS, "succeeded" if known else "unproven", shown(text), None, known)
    authors = list({c.author.id: c.author for c in view.commits if c.author}.values())
    signed = sum(c.attribution == "signed" for c in view.commits)
    first = Markup("{} by {}") if authors else Markup("{}")
    count = words.number(len(view.commits) + view.commits_cut)
    return Stage(
        _COMMITS,
        "succeeded" if view.commits_known else "unproven",
        first.format(count, words.people(authors)) if authors else Markup("{} named").format(count),
        _signed(signed, view.commits_known),
        view.commits_known,
    )


def _signed(count: int, known: bool) -> Markup:
    """Most sources do not tell of signatures, so none known is not none."""
    if not known:
        return Markup("perhaps not all")
    return Markup("{} signed").format(words.number(count)) if count else Markup("no signature known")


def _review_stage(view: DeploymentView) -> Stage:
    changes = sorted({c.change for c in view.commits if c.change is not None})
    reviewers = list({who.id: who for c in view.commits for who in c.reviewers}.values())
    if view.commits_known and not view.commits:
        return Stage(_REVIEW, "note", Markup("nothing new to review"), None, True)
    if not changes and not reviewers:
        return Stage(_REVIEW, "unproven", Markup("none known"), None, False)
    named = ", ".join(f"#{number}" for number in changes[:3]) + (" …" if len(changes) > 3 else "")
    reviewed = bool(view.commits) and all(c.reviewers for c in view.commits)
    return Stage(
        _REVIEW,
        "succeeded" if reviewed else "waiting",
        shown(named or "told"),
        words.people(reviewers) if reviewers else Markup("nobody reviewed"),
        reviewed,
    )


def _is_build(view: CheckView) -> bool:
    """Whether it tells of a build: by its kind, or a check by what it is called."""
    return view.kind.startswith(("build.", "job.")) or (
        view.kind.startswith("check.") and called_build(view.name)
    )


def _build_stage(view: DeploymentView) -> Stage:
    """A published artifact is a build, whoever told of it; checks that are builds say how it went."""
    builds = _check_stage(_BUILD, [check for check in view.checks if _is_build(check)])
    told = view.published
    if told is None:
        return builds
    source = shown(words.sha(told.sha), 40) if told.sha else None
    first = Markup("published as {}").format(shown(words.digest(told.digest), 40))
    if told.sha and view.sha and not told.sha.startswith(view.sha) and not view.sha.startswith(told.sha):
        return Stage(_BUILD, "waiting", first, Markup("from {}, another commit").format(source), False)
    if view.artifact is None:
        second = Markup("from this commit; which one runs is unknown")
        return Stage(_BUILD, "unproven", first, second, False)
    second = Markup("from {}").format(source) if source else Markup("its commit was not told")
    if builds.mark in ("failed", "running"):
        return Stage(_BUILD, builds.mark, builds.first, first, False)
    return Stage(_BUILD, "succeeded", first, second, source is not None)


def _check_stage(name: Markup, checks: list[CheckView]) -> Stage:
    found = [check(one) for one in checks]
    if not found:
        return Stage(name, "unproven", Markup("none told"), None, False)
    bad = sum(check.mark == "failed" for check in found)
    going = sum(check.mark in ("running", "waiting") for check in found)
    mark: Mark = "failed" if bad else "running" if going else "succeeded"
    took = sum(check.view.duration_ms or 0 for check in found)
    first = (
        f"{bad} of {len(found)} failed" if bad else f"{going} running" if going else f"{len(found)} passed"
    )
    return Stage(name, mark, shown(first), shown(words.duration(took)) if took else None, mark == "succeeded")


def _place_stage(view: DeploymentView) -> Stage:
    if view.running_now:
        second = Markup("running now")
    elif view.replaced_by:
        second = Markup("replaced since")
    else:
        second = Markup("")
    return Stage(shown(view.environment, 40), view.mark, shown(view.status), second or None, False)


def _steps(view: DeploymentView) -> list[Step]:
    steps = []
    date = words.date(view.at)
    for step in view.steps:
        other = words.date(step.at)
        steps.append(
            Step(
                step,
                words.clock(step.at),
                other if other != date else None,
                link(step.url, "open"),
            )
        )
    return steps


_CHECKS: Final[dict[str, tuple[Mark, str]]] = {
    "good": ("succeeded", "Passed"), "bad": ("failed", "Failed"), "cancelled": ("failed", "Cancelled"),
    "skipped": ("note", "Skipped"), "requested": ("waiting", "Waiting"),
}  # fmt: skip


def check(view: CheckView) -> Check:
    """A check with its mark and its state in a word."""
    outcome = view.outcome or ""
    known = sentences.ended(outcome)
    if known in _CHECKS:
        return Check(view, *_CHECKS[known])
    if outcome:
        return Check(view, "note", outcome.replace("_", " ").capitalize()[:40])
    return Check(view, "running", "Running")


def _facts(view: DeploymentView) -> list[tuple[str, Markup]]:
    """What else is known, at most a dozen lines; what is not known is said to be unknown."""
    found: list[tuple[str, Markup]] = []

    def add(name: str, value: Markup | str | None) -> None:
        if value is not None and value != "":
            found.append((name, value if isinstance(value, Markup) else shown(value, 80)))

    add("Version", _version(view.version))
    add("Artifact", _artifact(view.artifact) if view.artifact else "unknown")
    add("Commit", _id(view.sha, words.sha(view.sha), "commit sha") if view.sha else "unknown")
    add("Repository", _repository(view.repository))
    add("Replaced" if _ran(view) else "Ran before", _replaced(view))
    add("Kind", view.type)
    add("Attribution", Markup('<span class="att" data-a="{0}">{0}</span>').format(view.attribution))
    add("Started", words.exact(view.started_at) if view.started_at is not None else None)
    add("Ended", words.exact(view.finished_at) if view.finished_at is not None else None)
    add("Address", link(view.url, None))
    for name, value in sorted(view.labels.items())[:20]:
        found.append((name[:60], shown(value)))
    return found


def _artifact(digest: str) -> Markup:
    named = Markup('<a class="id" href="{}" data-full="{}">{}</a>')
    return named.format(links.artifact(digest), digest, shown(words.digest(digest))) + _copy(digest, "digest")


def _repository(name: str | None) -> Markup | None:
    return links.link(links.changes(name), shown(name, 80)) if name else None


def _id(whole: str, short: str, what: str) -> Markup:
    copied = Markup('<span class="id" title="{0}">{1}</span>').format(whole, shown(short))
    return copied + _copy(whole, what)


def _copy(whole: str, what: str) -> Markup:
    return Markup(
        '<button class="copy" type="button" data-copy="{}" aria-label="Copy the whole {}" hidden>'
        "Copy</button>"
    ).format(whole, what)


def _version(told: str | None) -> Markup | None:
    """A version; one that was cut can be copied whole."""
    if not told:
        return None
    short = words.version(told)
    return shown(told, 80) if short == told else _id(told, short, "version")


def _replaced(view: DeploymentView) -> Markup | None:
    if view.replaced_version is None:
        return None
    text = shown(words.version(view.replaced_version), 80)
    if view.replaced_key:
        text = Markup('<a href="{}">{}</a>').format(links.deployment(view.replaced_key), text)
    if view.replaced_ran_ms is not None:
        return Markup("{}, ran {}").format(text, words.duration(view.replaced_ran_ms))
    return text
