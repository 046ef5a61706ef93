// Copy buttons appear where copying works.

import { all, say } from "./dom.ts";

export function copying(within: ParentNode = document): void {
  if (!navigator.clipboard) return;
  for (const button of all<HTMLButtonElement>("[data-copy]", within)) {
    button.hidden = false;
    button.addEventListener("click", () => void copy(button));
  }
}

export async function copy(button: HTMLElement): Promise<void> {
  const words = button.textContent;
  try {
    await navigator.clipboard.writeText(button.dataset["copy"] ?? "");
  } catch {
    say("It could not be copied.");
    return;
  }
  button.textContent = "Copied";
  say("Copied.");
  setTimeout(() => (button.textContent = words), 2000);
}
