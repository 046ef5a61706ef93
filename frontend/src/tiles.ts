// The files of a log (C2SP tlog-tiles), fetched and cut into hashes and entries.

import { HASH } from "./merkle.ts";

export const WIDTH = 256;

export function tilePath(level: number | "entries", index: number, width: number): string {
  let groups = String(index % 1000).padStart(3, "0");
  for (let above = Math.floor(index / 1000); above; above = Math.floor(above / 1000))
    groups = `x${String(above % 1000).padStart(3, "0")}/${groups}`;
  return `tile/${level}/${groups}${width === WIDTH ? "" : `.p/${width}`}`;
}

export type Fetch = (path: string) => Promise<Uint8Array>;

export async function hashesOf(get: Fetch, level: number, index: number, width: number): Promise<Uint8Array[]> {
  const path = tilePath(level, index, width);
  const data = await get(path);
  if (data.length !== width * HASH) throw new Error(`the file ${path} has ${data.length} bytes, not ${width * HASH}`);
  return Array.from({ length: width }, (_, n) => data.subarray(n * HASH, (n + 1) * HASH));
}

export async function entriesOf(get: Fetch, index: number, width: number): Promise<Uint8Array[]> {
  const path = tilePath("entries", index, width);
  const data = await get(path);
  const found: Uint8Array[] = [];
  let at = 0;
  for (let n = 0; n < width; n++) {
    const start = at + 2;
    at = start + ((data[at] ?? 0) << 8) + (data[at + 1] ?? 0);
    if (at > data.length) throw new Error(`the file ${path} ends within entry ${index * WIDTH + n}`);
    found.push(data.subarray(start, at));
  }
  if (at !== data.length) throw new Error(`the file ${path} has ${data.length - at} bytes too many`);
  return found;
}
