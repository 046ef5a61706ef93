// Single keys for those who like them. All can be switched off (WCAG 2.1.4); none of them changes anything.

import { all, one } from "./dom.ts";
import { copy } from "./copy.ts";

const PLACES: Record<string, string> = {
  t: "/",
  e: "/environments",
  s: "/services",
  c: "/changes",
  p: "/people",
  l: "/log",
  a: "/attention",
};
const OFF = "deploytrail.keys";
let waiting = 0;

export function keys(): void {
  const dialog = one<HTMLDialogElement>("#keys");
  for (const button of all<HTMLButtonElement>("[data-keys]")) {
    button.hidden = false;
    button.addEventListener("click", () => dialog?.showModal());
  }
  const toggle = one<HTMLButtonElement>("[data-keys-switch]");
  toggle?.addEventListener("click", () => {
    keep(!on());
    show(toggle);
  });
  if (toggle) show(toggle);
  document.addEventListener("keydown", (event) => {
    if (!on() || event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || dialog?.open) return;
    if (pressed(event.key, dialog)) event.preventDefault();
  });
}

function pressed(key: string, dialog: HTMLDialogElement | null): boolean {
  if (Date.now() < waiting) {
    waiting = 0;
    const place = PLACES[key];
    if (place) location.assign(place);
    return Boolean(place);
  }
  if (key === "g") waiting = Date.now() + 1500;
  else if (key === "?") dialog?.showModal();
  else if (key === "/") return find();
  else if (key === "j" || key === "k") step(key === "j" ? 1 : -1);
  else if (key === "p") return open(".proof");
  else if (key === "c") return copyFirst();
  else return false;
  return true;
}

function find(): boolean {
  const box = one<HTMLInputElement>("#q");
  box?.focus();
  box?.select();
  return Boolean(box);
}

// The rows of a list, each by the link to what it is about; Enter then opens it as links do.
function step(by: number): void {
  const rows = all("[data-index]");
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by))];
  (one("a:not(.who)", next) ?? one("a", next))?.focus();
}

function open(selector: string): boolean {
  const row = document.activeElement?.closest<HTMLElement>("[data-index]");
  const link = one<HTMLAnchorElement>(selector, row ?? one("main") ?? document);
  link?.click();
  return Boolean(link);
}

function copyFirst(): boolean {
  const row = document.activeElement?.closest<HTMLElement>("[data-index]");
  const button = one("[data-copy]:not([hidden])", row ?? one("main") ?? document);
  if (button) void copy(button);
  return Boolean(button);
}

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName));
}

function on(): boolean {
  try {
    return localStorage.getItem(OFF) !== "off";
  } catch {
    return true;
  }
}

function keep(wanted: boolean): void {
  try {
    localStorage.setItem(OFF, wanted ? "on" : "off");
  } catch {
    // Storage may be closed; then the switch holds for nothing but this word.
  }
}

function show(toggle: HTMLButtonElement): void {
  toggle.setAttribute("aria-pressed", String(on()));
  toggle.textContent = on() ? "Single keys are on" : "Single keys are off";
}
