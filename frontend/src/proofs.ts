// The buttons "Verify in this browser": what was proven, and what was not, in words.

import { fromBase64 } from "./bytes.ts";
import { all, make, number, one, state } from "./dom.ts";
import { parseKey } from "./note.ts";
import type { Fetch } from "./tiles.ts";
import { type Remembered, verifyEntry, verifyLog } from "./verify.ts";

export function proofs(): void {
  for (const card of all("[data-verify-log]")) ready(card, () => checkLog(card));
  for (const card of all("[data-verify-entry]")) ready(card, () => checkEntry(card));
}

function ready(card: HTMLElement, check: () => Promise<HTMLElement[]>): void {
  const button = one<HTMLButtonElement>("[data-verify]", card);
  const verdict = one("[data-verdict]", card);
  if (!button || !verdict) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    verdict.hidden = false;
    verdict.replaceChildren(state("running", "Verifying"));
    void check()
      .catch((error: unknown) => broken(error))
      .then((words) => {
        verdict.replaceChildren(...words);
        button.removeAttribute("aria-disabled");
      });
  });
}

async function checkLog(card: HTMLElement): Promise<HTMLElement[]> {
  const origin = card.dataset["origin"] ?? "";
  const before = remembered(origin);
  const bar = one("[data-progress]", card);
  const show = (done: number, of: number) => {
    if (!bar) return;
    bar.hidden = false;
    const meter = one<HTMLProgressElement>("progress", bar);
    if (meter) meter.value = of ? done / of : 1;
    const words = one("[data-progress-words]", bar);
    if (words) words.textContent = `${number(done)} of ${number(of)} entries`;
  };
  const key = parseKey(card.dataset["vkey"] ?? "");
  const found = await verifyLog(get("/log/"), key, origin, "openEntries" in card.dataset, before, show);
  const { checkpoint } = found;
  remember(origin, checkpoint.size, checkpoint.rootText);
  const proven = [
    `The key ${key.name} signed a log of ${number(checkpoint.size)} entries.`,
    found.entriesRead
      ? `Each of the ${number(checkpoint.size)} entries hashes to its place in the tree, and the tree to the signed root.`
      : `The ${number(checkpoint.size)} leaf hashes give the signed root.`,
    before
      ? `The ${number(before.size)} entries that this browser saw on ${before.at} are its beginning, unaltered.`
      : "This browser remembers this checkpoint now; next time it will see whether the log only grew.",
  ];
  const not = [
    ...(found.entriesRead ? [] : ["That the entries' bytes match their hashes: here they are for administrators."]),
    "That this is the house's key: compare it with one that you got another way.",
    "That others see the same log: no witness from outside has confirmed it yet.",
    "That what was told is true: the log proves what was said and when, not more.",
  ];
  return [...lines("succeeded", "Proven", proven), ...lines("unproven", "Not proven", not)];
}

async function checkEntry(card: HTMLElement): Promise<HTMLElement[]> {
  const index = Number(card.dataset["verifyEntry"]);
  const origin = card.dataset["origin"] ?? "";
  const key = parseKey(card.dataset["vkey"] ?? "");
  const open = "openEntry" in card.dataset;
  const [receipt, entry] = await Promise.all([
    get("/api/v1/entries/")(`${index}/receipt`),
    open ? get("/api/v1/entries/")(String(index)) : Promise.resolve(null),
  ]);
  const leaf = fromBase64(card.dataset["leaf"] ?? "");
  const { checkpoint } = await verifyEntry(receipt, index, leaf, entry, key, origin, remembered(origin));
  const proven = [
    open ? `The bytes of entry ${number(index)} give the leaf shown here.` : "",
    `The leaf is entry ${number(index)} of the ${number(checkpoint.size)} that the key ${key.name} signed.`,
  ].filter(Boolean);
  const not = [
    open ? "" : "That the entry's bytes give this leaf: here they are for administrators.",
    "That the rest of the log is whole: the Log page checks that.",
  ].filter(Boolean);
  return [...lines("succeeded", "Proven", proven), ...lines("unproven", "Not proven", not)];
}

function broken(error: unknown): HTMLElement[] {
  const words = error instanceof Error ? error.message : String(error);
  if (error instanceof Missing) return lines("unproven", "Not checked", [words]);
  return lines("failed", "Proof broken", [
    `${words[0]?.toUpperCase() ?? ""}${words.slice(1)}.`,
    "Keep this page open or save it, and tell whoever answers for this log.",
  ]);
}

function lines(mark: string, head: string, sentences: string[]): HTMLElement[] {
  const list = make("ul", "", { class: "verdict" });
  list.append(...sentences.map((words) => make("li", words)));
  return [state(mark, head), list];
}

// A file that did not come is no proof of anything, and not a broken one either.
class Missing extends Error {}

function get(base: string): Fetch {
  return async (path) => {
    // What the house serves now is checked, not what this browser keeps from before.
    const answer = await fetch(base + path, { cache: "reload" }).catch(() => null);
    if (!answer) throw new Missing(`${base}${path} could not be fetched: the house is out of reach.`);
    if (!answer.ok) throw await refused(answer, base + path);
    return new Uint8Array(await answer.arrayBuffer());
  };
}

function remembered(origin: string): Remembered | null {
  try {
    const kept = JSON.parse(localStorage.getItem(`deploytrail.checkpoint.${origin}`) ?? "null") as Remembered | null;
    return kept && Number.isSafeInteger(kept.size) && typeof kept.root === "string" ? kept : null;
  } catch {
    return null;
  }
}

function remember(origin: string, size: number, root: string): void {
  try {
    const at = new Date().toISOString().slice(0, 16).replace("T", " ");
    localStorage.setItem(`deploytrail.checkpoint.${origin}`, JSON.stringify({ size, root, at: `${at} UTC` }));
  } catch {
    // Storage may be closed: then nothing is remembered.
  }
}

// Where the house itself finds that its bytes are not what was recorded, that is the verdict.
async function refused(answer: Response, path: string): Promise<Error> {
  const problem = (await answer.json().catch(() => null)) as { code?: unknown; detail?: unknown } | null;
  if (problem?.code === "untrue" && typeof problem.detail === "string") return new Error(problem.detail.replace(/\.$/, ""));
  return new Missing(`${path} could not be fetched: the house answered ${answer.status}.`);
}
