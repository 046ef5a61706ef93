"""Pages of a house in a real browser: who is there, and what the browser complains of."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

# What breaks the content security policy is told to the page itself.
_LISTEN = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (e) => window.violations.push(e.violatedDirective));
"""


class Visits:
    """Contexts of one browser at the house of a URL; `end` closes them and gives what was complained of."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser, self._url = browser, url
        self._contexts: list[BrowserContext] = []
        self._pages: list[Page] = []
        self.complaints: list[str] = []

    def go(
        self,
        path: str,
        *,
        cookie: str | None = None,
        width: int = 1280,
        dark: bool = False,
        script: bool = True,
        expect_errors: bool = False,
        **options: Any,
    ) -> Page:
        """A page in a context of its own; `cookie` as the house set it."""
        context = self._browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            **options,
        )
        self._contexts.append(context)
        if cookie:
            name, _, value = cookie.partition("=")
            context.add_cookies([{"name": name, "value": value, "url": self._url}])
        page = context.new_page()
        if script:
            page.add_init_script(_LISTEN)
            self._pages.append(page)
        if not expect_errors:
            page.on("console", self._hear)
            page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self._url + path)
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def end(self) -> list[str]:
        """Close everything; complaints of the console and of the content security policy."""
        while self._pages:
            self.complaints += self._pages.pop().evaluate("window.violations || []")
        while self._contexts:
            self._contexts.pop().close()
        return self.complaints
