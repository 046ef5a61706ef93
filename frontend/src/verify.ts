// Checking the log with nothing but its public files and a key. Throws with the words of what is wrong.

import { decimal, equal, fromBase64, utf8 } from "./bytes.ts";
import { fold, Frontier, included, leafHash } from "./merkle.ts";
import { type Checkpoint, type Key, openCheckpoint } from "./note.ts";
import { entriesOf, type Fetch, hashesOf, tilePath, WIDTH } from "./tiles.ts";

// What was proven before, so that a later look can say that the log only grew.
export interface Remembered {
  size: number;
  root: string;
  at: string;
}

export interface LogVerdict {
  checkpoint: Checkpoint;
  entriesRead: boolean;
  before: Remembered | null;
}

export type Progress = (done: number, of: number) => void;

export async function verifyLog(
  get: Fetch,
  key: Key,
  origin: string,
  openEntries: boolean,
  before: Remembered | null,
  progress: Progress,
): Promise<LogVerdict> {
  const checkpoint = await openCheckpoint(await get("checkpoint"), key);
  if (checkpoint.origin !== origin) throw new Error(`the checkpoint is of another log, ${checkpoint.origin}`);
  if (before && before.size > checkpoint.size)
    throw new Error(
      `this browser saw ${before.size} signed entries on ${before.at}; now the log signs only ${checkpoint.size}. Entries were taken away`,
    );
  const frontier = new Frontier();
  const above: Uint8Array[] = [];
  const compare = () => {
    if (before && frontier.size === before.size && !equal(frontier.root(), fromBase64(before.root)))
      throw new Error(
        `the first ${before.size} entries are not those that this browser saw on ${before.at}: the history was rewritten`,
      );
  };
  compare();
  const tiles = Math.ceil(checkpoint.size / WIDTH);
  const read = ahead(tiles, (index) => readTile(get, index, Math.min(WIDTH, checkpoint.size - index * WIDTH), openEntries));
  for (let index = 0; index < tiles; index++) {
    const hashes = await read(index);
    for (const hash of hashes) {
      frontier.push(hash);
      if (before && frontier.size === before.size) compare();
    }
    if (hashes.length === WIDTH) above.push(fold(hashes));
    progress(frontier.size, checkpoint.size);
    await pause();
  }
  await compareAbove(get, above);
  if (!equal(frontier.root(), checkpoint.root))
    throw new Error(`the root of the ${checkpoint.size} entries is not the one that was signed`);
  return { checkpoint, entriesRead: openEntries, before };
}

async function readTile(get: Fetch, index: number, width: number, openEntries: boolean): Promise<Uint8Array[]> {
  const [hashes, entries] = await Promise.all([
    hashesOf(get, 0, index, width),
    openEntries ? entriesOf(get, index, width) : Promise.resolve([]),
  ]);
  entries.forEach((entry, n) => {
    if (!equal(leafHash(entry), hashes[n]!))
      throw new Error(`the bytes of entry ${index * WIDTH + n} do not match their place in the tree`);
  });
  return hashes;
}

// The tiles above must hold what the tiles below fold to.
async function compareAbove(get: Fetch, row: Uint8Array[]): Promise<void> {
  for (let level = 1; row.length; level++) {
    const above: Uint8Array[] = [];
    for (let index = 0; index * WIDTH < row.length; index++) {
      const own = row.slice(index * WIDTH, (index + 1) * WIDTH);
      const hashes = await hashesOf(get, level, index, own.length);
      if (!hashes.every((hash, n) => equal(hash, own[n]!)))
        throw new Error(`the file ${tilePath(level, index, own.length)} is not what the tiles below it give`);
      if (own.length === WIDTH) above.push(fold(own));
    }
    row = above;
  }
}

// Read a few tiles ahead: the network and the hashing then take turns without waiting for each other.
function ahead<T>(count: number, read: (index: number) => Promise<T>): (index: number) => Promise<T> {
  const coming = new Map<number, Promise<T>>();
  return (index) => {
    for (let next = index; next < Math.min(index + 4, count); next++) {
      if (coming.has(next)) continue;
      const promise = read(next);
      promise.catch(() => undefined);
      coming.set(next, promise);
    }
    const found = coming.get(index)!;
    coming.delete(index);
    return found;
  };
}

function pause(): Promise<void> {
  return new Promise((go) => setTimeout(go));
}

export interface EntryVerdict {
  checkpoint: Checkpoint;
  entryRead: boolean;
}

// One entry against its receipt (C2SP tlog-proof). Without the bytes, the leaf that the page shows is used.
export async function verifyEntry(
  receipt: Uint8Array,
  index: number,
  leaf: Uint8Array,
  entry: Uint8Array | null,
  key: Key,
  origin: string,
  before: Remembered | null,
): Promise<EntryVerdict> {
  if (entry && !equal(leafHash(entry), leaf)) throw new Error(`the bytes of entry ${index} do not give the leaf on this page`);
  const proof = parseReceipt(receipt);
  if (proof.index !== index) throw new Error(`the receipt is of entry ${proof.index}`);
  const checkpoint = await openCheckpoint(proof.note, key);
  if (checkpoint.origin !== origin) throw new Error(`the receipt is of another log, ${checkpoint.origin}`);
  if (!included(index, checkpoint.size, leaf, proof.path, checkpoint.root))
    throw new Error(`entry ${index} is not in the signed tree of ${checkpoint.size} entries`);
  if (before && before.size === checkpoint.size && before.root !== checkpoint.rootText)
    throw new Error(`this browser saw another log of the same size on ${before.at}`);
  return { checkpoint, entryRead: entry !== null };
}

function parseReceipt(data: Uint8Array): { index: number; path: Uint8Array[]; note: Uint8Array } {
  const text = utf8(data);
  const cut = text.indexOf("\n\n");
  const lines = text.slice(0, cut).split("\n");
  if (cut < 0 || lines.shift() !== "c2sp.org/tlog-proof@v1") throw new Error("the receipt cannot be read");
  if (lines[0]?.startsWith("extra ")) lines.shift();
  const index = lines.shift() ?? "";
  if (!index.startsWith("index ") || lines.length > 63) throw new Error("the receipt cannot be read");
  return {
    index: decimal(index.slice(6)),
    path: lines.map(fromBase64),
    note: new TextEncoder().encode(text.slice(cut + 2)),
  };
}
