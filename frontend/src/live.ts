// The live trail: new entries wait behind a button, so that nothing moves under a reader.

import { copying } from "./copy.ts";
import { all, make, number, one, parse, say, state } from "./dom.ts";

const MANY = 200;
const LOST_AFTER = 5000;
const SAY_AFTER = 1000;
const SAY_EVERY = 10_000;
const HIDDEN_FOR = 30_000;

export function live(): void {
  const feed = one("[data-feed]");
  if (feed && !("older" in feed.dataset)) new Live(feed).start();
}

class Live {
  private feed: HTMLElement;
  private source: EventSource | null = null;
  private fresh = new Set<number>();
  // The newest entry that is shown, and the newest that we heard of.
  private shown: number;
  private heard: number;
  private paused = false;
  private lost = 0;
  private said = 0;
  private saying = 0;
  private sleeping = 0;
  private title = document.title;
  private news = one("[data-live-news]")!;
  private button = one<HTMLAnchorElement>("[data-live-news] a")!;
  private pause = one<HTMLButtonElement>("[data-live-pause]")!;

  constructor(feed: HTMLElement) {
    this.feed = feed;
    this.shown = this.heard = Number(feed.dataset["upTo"]) - 1;
  }

  start(): void {
    this.button.addEventListener("click", (event) => {
      event.preventDefault();
      void this.show();
    });
    this.pause.hidden = false;
    this.pause.addEventListener("click", () => this.toggle());
    // Browsers keep six connections to a house at most: pages that nobody looks at give theirs back.
    document.addEventListener("visibilitychange", () => {
      clearTimeout(this.sleeping);
      if (document.hidden) this.sleeping = window.setTimeout(() => this.close(), HIDDEN_FOR);
      else if (!this.source && !this.paused) this.open();
    });
    window.addEventListener("pagehide", () => this.close());
    window.addEventListener("pageshow", (event) => {
      if (event.persisted && !this.paused) this.open();
    });
    this.open();
  }

  private open(): void {
    this.close();
    const query = this.feed.dataset["query"];
    const source = new EventSource(`/api/v1/live?after=${this.heard}${query ? `&${query}` : ""}`);
    this.source = source;
    source.addEventListener("open", () => this.found());
    source.addEventListener("message", (event) => this.hear(event));
    source.addEventListener("end", () => {
      this.close();
      this.missing("Live updates ended: you are signed out.");
    });
    source.addEventListener("error", () => this.lose(source));
  }

  private close(): void {
    this.source?.close();
    this.source = null;
    clearTimeout(this.lost);
    this.lost = 0;
  }

  private toggle(): void {
    this.paused = !this.paused;
    this.pause.textContent = this.paused ? "Go on" : "Pause";
    if (this.paused) {
      this.close();
      this.found("waiting", "Paused");
      return;
    }
    this.open();
  }

  private hear(event: MessageEvent<string>): void {
    const index = Number(event.lastEventId);
    if (!(index > this.shown)) return;
    this.heard = Math.max(this.heard, index);
    this.fresh.add(index);
    this.count();
  }

  private count(): void {
    const count = this.fresh.size;
    const words = count === 1 ? "1 new entry" : `${number(count)} new entries`;
    this.news.hidden = count === 0;
    this.button.textContent = `Show ${words}`;
    document.title = count ? `(${count}) ${this.title}` : this.title;
    if (count && !this.saying) {
      const wait = Math.max(SAY_AFTER, this.said + SAY_EVERY - Date.now());
      this.saying = window.setTimeout(() => this.announce(), wait);
    }
  }

  // Only the count is announced, a moment after the first and at most every ten seconds.
  private announce(): void {
    this.saying = 0;
    this.said = Date.now();
    const place = one("[data-live-said]");
    if (place) place.textContent = this.fresh.size ? (this.button.textContent ?? "").replace("Show ", "") : "";
  }

  // Fetch what is new as rows of the same template, and put it on top.
  private async show(): Promise<void> {
    if (this.fresh.size > MANY) {
      location.assign(this.button.href);
      return;
    }
    const query = this.feed.dataset["query"];
    const answer = await fetch(`/trail/rows?above=${this.shown}${query ? `&${query}` : ""}`).catch(() => null);
    if (!answer?.ok) {
      location.assign(this.button.href);
      return;
    }
    const fragment = one("[data-up-to]", parse(await answer.text()));
    const place = one("[data-rows]");
    if (!fragment || !place || !one(".rows", place)) {
      location.assign(this.button.href);
      return;
    }
    this.shown = Number(fragment.dataset["upTo"]) - 1;
    this.heard = Math.max(this.heard, this.shown);
    const rows = all(".row", fragment);
    this.insert(place, all(".of-day", fragment));
    copying(place);
    for (const index of this.fresh) if (index <= this.shown) this.fresh.delete(index);
    this.count();
    const upTo = one("[data-live-upto]");
    if (upTo) upTo.textContent = number(this.shown);
    say(`${rows.length} entries added on top.`);
    one("a", rows[0])?.focus({ preventScroll: true });
    setTimeout(() => rows.forEach((row) => row.classList.remove("fresh")), 8000);
  }

  private insert(place: HTMLElement, days: HTMLElement[]): void {
    const first = one(".of-day", place);
    const last = days.at(-1);
    if (first && last && first.dataset["day"] === last.dataset["day"]) {
      one(".rows", first)?.prepend(...all(".row", last));
      days.pop();
    }
    place.prepend(...days);
  }

  private found(mark = "succeeded", word = "Live"): void {
    clearTimeout(this.lost);
    this.lost = 0;
    one("[data-live-state]")?.replaceChildren(state(mark, word));
    const notice = one("[data-live-lost]");
    if (notice) notice.hidden = true;
  }

  private lose(source: EventSource): void {
    if (source !== this.source) return;
    if (source.readyState === EventSource.CLOSED) {
      this.missing("Live updates ended. You may be signed out, or the house is stopping.");
      // A house that comes back is found again; a session that is over stays over.
      this.close();
      if (!this.paused) this.sleeping = window.setTimeout(() => this.open(), 10_000);
      return;
    }
    if (!this.lost) this.lost = window.setTimeout(() => this.missing("Live updates stopped."), LOST_AFTER);
  }

  private missing(words: string): void {
    one("[data-live-state]")?.replaceChildren(state("unproven", "Not live"));
    const notice = one("[data-live-lost]");
    const place = one("[data-live-lost-words]");
    if (!notice || !place) return;
    place.replaceChildren(
      make("b", words),
      document.createTextNode(` You see entries up to ${number(this.shown)}. We keep trying; nothing is lost.`),
    );
    notice.hidden = false;
  }
}
