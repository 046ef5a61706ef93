// Small ways to find and make elements. Text is always set as text.

export function one<T extends HTMLElement>(selector: string, within: ParentNode = document): T | null {
  return within.querySelector<T>(selector);
}

export function all<T extends HTMLElement>(selector: string, within: ParentNode = document): T[] {
  return [...within.querySelectorAll<T>(selector)];
}

export function make(name: string, text: string, attributes: Record<string, string> = {}): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export function state(mark: string, word: string): HTMLElement {
  return make("span", word, { class: "state", "data-s": mark });
}

// The elements of a fragment that our own templates rendered.
export function parse(html: string): HTMLElement {
  return new DOMParser().parseFromString(html, "text/html").body;
}

// Tell those who cannot see what changed.
export function say(words: string): void {
  const place = one("#said");
  if (place) place.textContent = words;
}

export const number = (count: number): string => count.toLocaleString("en-US");
