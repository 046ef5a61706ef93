// Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint).

import { sha256 } from "@noble/hashes/sha2.js";
import { decimal, equal, fromBase64, utf8 } from "./bytes.ts";
import { signedBy } from "./ed25519.ts";
import { HASH } from "./merkle.ts";

const ED25519 = 1;

export interface Key {
  name: string;
  id: Uint8Array;
  public: Uint8Array;
}

export interface Checkpoint {
  origin: string;
  size: number;
  root: Uint8Array;
  rootText: string;
}

// A verifier key: name+8 hex digits+base64(type, public key). Names hold no "+", base64 may.
export function parseKey(text: string): Key {
  const found = /^([^+\s]+)\+([0-9a-f]{8})\+(.+)$/u.exec(text);
  if (!found) throw new Error("the verifier key cannot be read");
  const data = fromBase64(found[3]!);
  if (data[0] !== ED25519 || data.length !== 33) throw new Error("the verifier key is not of type Ed25519");
  const name = new TextEncoder().encode(`${found[1]!}\n`);
  const whole = new Uint8Array(name.length + data.length);
  whole.set(name);
  whole.set(data, name.length);
  const id = sha256(whole).slice(0, 4);
  if (found[2] !== [...id].map((byte) => byte.toString(16).padStart(2, "0")).join(""))
    throw new Error("the verifier key does not have the ID that it says");
  return { name: found[1]!, id, public: data.slice(1) };
}

// The checkpoint in a signed note, if `key` signed it. A wrong signature by a known key spoils the note.
export async function openCheckpoint(note: Uint8Array, key: Key): Promise<Checkpoint> {
  const whole = utf8(note);
  const cut = whole.lastIndexOf("\n\n");
  if (cut < 0 || !whole.endsWith("\n")) throw new Error("the checkpoint is not a signed note");
  const text = whole.slice(0, cut + 1);
  const lines = whole.slice(cut + 2, -1).split("\n");
  let signed = false;
  for (const line of lines) {
    const found = /^— (\S+) (\S+)$/u.exec(line);
    if (!found) throw new Error("a signature line of the checkpoint cannot be read");
    const data = fromBase64(found[2]!);
    if (found[1] !== key.name || !equal(data.slice(0, 4), key.id)) continue;
    if (!(await signedBy(key.public, new TextEncoder().encode(text), data.slice(4))))
      throw new Error("the signature on the checkpoint is wrong");
    signed = true;
  }
  if (!signed) throw new Error("the checkpoint is not signed with this log's key");
  return parse(text);
}

function parse(text: string): Checkpoint {
  const [origin, size, root] = text.split("\n");
  if (!origin || size === undefined || root === undefined) throw new Error("the checkpoint has no origin, size and root");
  const hash = fromBase64(root);
  if (hash.length !== HASH) throw new Error("the checkpoint's root is not a hash");
  return { origin, size: decimal(size), root: hash, rootText: root };
}
