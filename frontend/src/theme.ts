// The theme changes at once; without script the same form asks the server.

import { all } from "./dom.ts";

export function themes(): void {
  for (const form of all<HTMLFormElement>("form.themes")) {
    form.addEventListener("submit", (event) => {
      const chosen = (event.submitter as HTMLButtonElement | null)?.value;
      if (!chosen) return;
      event.preventDefault();
      show(chosen);
      // The server keeps the choice; the page does not wait for it.
      const body = new URLSearchParams({ theme: chosen, back: "/healthz" });
      void fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => undefined);
    });
  }
}

function show(theme: string): void {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset["theme"];
  else root.dataset["theme"] = theme;
  for (const button of all<HTMLButtonElement>("form.themes button"))
    button.setAttribute("aria-pressed", String(button.value === theme));
}
