"""The page of one artifact."""

from __future__ import annotations

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from deploytrail.app.views import PublishedView
from deploytrail.errors import Refused
from deploytrail.web import links, numbers, words
from deploytrail.web.hostile import link, shown
from deploytrail.web.render import page


def show(request: Request) -> Response:
    """GET /artifacts/{digest}?below=INDEX: one artifact, and the deployments that named it."""
    web = request.app.state.web
    digest = request.path_params["digest"]
    below = numbers.maybe(request.query_params.get("below"))
    found: PublishedView | None = web.house.ask.artifact(digest[:500], below)
    if found is None:
        raise Refused("not-found", "Nobody has told of an artifact with this digest.")
    told = found.published
    name = told.name if told and told.name else found.service
    address = links.artifact(digest)
    return page(
        request,
        "artifact.html",
        here="services",
        a=found,
        title=" ".join(part for part in (name, told.version if told else None) if part)
        or f"Artifact {words.digest(digest)}",
        lede=_lede(found, web.house.clock.now()),
        facts=_facts(found),
        newest_url=address if below is not None else None,
        older_url=f"{address}?below={found.older}" if found.older is not None else None,
    )


def _lede(view: PublishedView, now: int) -> Markup:
    """Who published it, and where it runs."""
    told = view.published
    if told is None:
        said = [
            Markup(
                "It was deployed, but nobody told us that it was published: where it comes from is unknown."
            )
        ]
    elif told.actor:
        actor = Markup("<b>{}</b>").format(words.person(told.actor))
        said = [Markup("{} published it, {}.").format(actor, words.when(told.at, now))]
    else:
        said = [Markup("It was published {}; nobody said by whom.").format(words.when(told.at, now))]
    if view.runs_in:
        named = [links.link(links.environment(one), shown(one, 60)) for one in view.runs_in[:6]]
        said.append(Markup("It runs in {} now.").format(Markup(", ").join(named)))
    return Markup(" ").join(said)


def _facts(view: PublishedView) -> list[tuple[str, Markup]]:
    told = view.published
    unknown = Markup("unknown")
    found = [("Name", shown(told.name, 80) if told and told.name else unknown)]
    found.append(("Version", shown(told.version, 80) if told and told.version else unknown))
    if view.service:
        found.append(("Service", links.link(links.service(view.service), shown(view.service, 80))))
    found.append(("Repository", shown(view.repository, 80) if view.repository else unknown))
    found.append(("Commit", _commit(view)))
    found.append(("Told by", shown(told.source, 80) if told else unknown))
    found.append(("Provenance", shown(view.provenance, 200) if view.provenance else Markup("none told")))
    address = link(view.url, None)
    if address is not None:
        found.append(("Address", address))
    return found


def _commit(view: PublishedView) -> Markup:
    sha = view.commit.sha if view.commit else view.published.sha if view.published else None
    if sha is None:
        return Markup("unknown")
    return Markup('<span class="id" title="{}">{}</span>').format(sha, shown(words.sha(sha)))
