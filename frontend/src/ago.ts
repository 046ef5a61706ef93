// "4 min ago" goes on counting, in the words of the server (web/words.py) and by the server's clock.

import { all } from "./dom.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function about(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
  const days = Math.floor(ms / DAY);
  return days === 1 ? "1 day" : `${days} days`;
}

export function ago(at: number, now: number): string {
  const past = now - at;
  const date = new Date(at);
  const day = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
  if (past < -MINUTE) return -past < 7 * DAY ? `in ${about(-past)}` : day;
  if (past < SECOND) return "just now";
  return past < 7 * DAY ? `${about(past)} ago` : day;
}

export function keepCounting(): void {
  const ahead = Number(document.documentElement.dataset["now"]) - Date.now();
  setInterval(() => {
    if (document.hidden) return;
    for (const element of all("[data-ago]")) {
      const words = ago(Number(element.dataset["ago"]), Date.now() + ahead);
      if (element.textContent !== words) element.textContent = words;
    }
  }, 5000);
}
