// The state of the log at the foot of the page stays true while the page is open.

import { one, parse } from "./dom.ts";

const EVERY = 20_000;

export function pulse(): void {
  const place = one("[data-pulse]");
  if (!place) return;
  const timer = setInterval(() => {
    if (document.hidden) return;
    void fetch("/pulse")
      .then(async (answer) => {
        if (answer.ok) place.replaceChildren(...parse(await answer.text()).childNodes);
        else if (answer.status === 401) clearInterval(timer);
      })
      .catch(() => undefined);
  }, EVERY);
}
