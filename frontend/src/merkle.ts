// The hashes of RFC 6962 and what is computed from them.

import { sha256 } from "@noble/hashes/sha2.js";
import { equal } from "./bytes.ts";

export const HASH = 32;

const leaf = new Uint8Array(65_536);

export function leafHash(entry: Uint8Array): Uint8Array {
  // One buffer for all leaves: byte 0 stays 0x00.
  leaf.set(entry, 1);
  return sha256(leaf.subarray(0, entry.length + 1));
}

const node = new Uint8Array(1 + 2 * HASH);
node[0] = 1;

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  node.set(left, 1);
  node.set(right, 1 + HASH);
  return sha256(node);
}

// The root over a full tile's 256 hashes (or any power of two of them).
export function fold(hashes: Uint8Array[]): Uint8Array {
  let row = hashes;
  while (row.length > 1) {
    const above: Uint8Array[] = [];
    for (let n = 0; n < row.length; n += 2) above.push(nodeHash(row[n]!, row[n + 1]!));
    row = above;
  }
  return row[0]!;
}

// A growing tree of which only the peaks are kept: place n holds the root of 2^n leaves, or nothing.
export class Frontier {
  size = 0;
  private peaks: (Uint8Array | null)[] = [];

  push(hash: Uint8Array): void {
    let carry = hash;
    let level = 0;
    for (; this.peaks[level]; level++) {
      carry = nodeHash(this.peaks[level]!, carry);
      this.peaks[level] = null;
    }
    this.peaks[level] = carry;
    this.size++;
  }

  root(): Uint8Array {
    let found: Uint8Array | null = null;
    for (const peak of this.peaks) if (peak) found = found ? nodeHash(peak, found) : peak;
    return found ?? sha256(new Uint8Array());
  }
}

// RFC 9162 2.1.3.2. The shape of the path comes from index and size, never from the proof.
export function included(index: number, size: number, hash: Uint8Array, path: Uint8Array[], root: Uint8Array): boolean {
  if (!(index >= 0 && index < size)) return false;
  let at = index;
  let last = size - 1;
  let found = hash;
  for (const beside of path) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      found = nodeHash(beside, found);
      while (at % 2 === 0 && at !== 0) {
        at /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      found = nodeHash(found, beside);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && equal(found, root);
}
