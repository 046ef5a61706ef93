// The check in the browser against a log made by literal recursion, and against every byte altered.
// Run by tests/web/test_script.py: node --test frontend/test

import assert from "node:assert/strict";
import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { test } from "node:test";

import { ago } from "../src/ago.ts";
import { equal, fromBase64, toBase64 } from "../src/bytes.ts";
import { signedBy } from "../src/ed25519.ts";
import { Frontier, included, leafHash, nodeHash } from "../src/merkle.ts";
import { openCheckpoint, parseKey } from "../src/note.ts";
import { type Fetch, tilePath } from "../src/tiles.ts";
import { type Remembered, verifyEntry, verifyLog } from "../src/verify.ts";

const ORIGIN = "log.example/made-for-tests";
const SIZES = [0, 1, 2, 3, 7, 8, 255, 256, 257, 300, 513];

const sha256 = (...parts: Uint8Array[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};

// RFC 6962 2.1, word for word.
function root(leaves: Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(Uint8Array.of(1), root(leaves.slice(0, k)), root(leaves.slice(k)));
}

function path(index: number, leaves: Uint8Array[]): Uint8Array[] {
  if (leaves.length <= 1) return [];
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return index < k
    ? [...path(index, leaves.slice(0, k)), root(leaves.slice(k))]
    : [...path(index - k, leaves.slice(k)), root(leaves.slice(0, k))];
}

const seed = Buffer.from(Array.from({ length: 32 }, (_, n) => n));
const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
const secret = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
const held = new Uint8Array(createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(-32));
const typed = Uint8Array.of(1, ...held);
const keyId = sha256(new TextEncoder().encode(`${ORIGIN}\n`), typed).slice(0, 4);
const VKEY = `${ORIGIN}+${Buffer.from(keyId).toString("hex")}+${toBase64(typed)}`;

interface Made {
  files: Map<string, Uint8Array>;
  leaves: Uint8Array[];
  entries: Uint8Array[];
  get: Fetch;
}

function note(size: number, hash: Uint8Array, origin = ORIGIN): Uint8Array {
  const text = `${origin}\n${size}\n${toBase64(hash)}\n`;
  const line = toBase64(Uint8Array.of(...keyId, ...sign(null, Buffer.from(text), secret)));
  return new TextEncoder().encode(`${text}\n— ${origin} ${line}\n`);
}

function make(size: number): Made {
  const entries = Array.from({ length: size }, (_, n) => new TextEncoder().encode(`{"entry":${n}}`));
  const leaves = entries.map((entry) => sha256(Uint8Array.of(0), entry));
  const files = new Map([["checkpoint", note(size, root(leaves))]]);
  let row = leaves;
  for (let level = 0; row.length; level++) {
    const above: Uint8Array[] = [];
    for (let at = 0; at * 256 < row.length; at++) {
      const own = row.slice(at * 256, at * 256 + 256);
      files.set(tilePath(level, at, own.length), new Uint8Array(Buffer.concat(own)));
      if (own.length === 256) above.push(root(own));
    }
    row = above;
  }
  for (let at = 0; at * 256 < size; at++) {
    const own = entries.slice(at * 256, at * 256 + 256);
    const parts = own.flatMap((entry) => [Uint8Array.of(entry.length >> 8, entry.length & 255), entry]);
    files.set(tilePath("entries", at, own.length), new Uint8Array(Buffer.concat(parts)));
  }
  const get: Fetch = async (name) => {
    const found = files.get(name);
    if (!found) throw new Error(`${name} is not there`);
    return found;
  };
  return { files, leaves, entries, get };
}

const quiet = () => undefined;
const key = parseKey(VKEY);

for (const size of SIZES) {
  test(`a log of ${size} verifies, and only grows`, async () => {
    const made = make(size);
    const found = await verifyLog(made.get, key, ORIGIN, true, null, quiet);
    assert.equal(found.checkpoint.size, size);
    for (const before of [0, 1, Math.floor(size / 2), size]) {
      const old: Remembered = { size: before, root: toBase64(root(made.leaves.slice(0, before))), at: "then" };
      if (before > size) continue;
      await verifyLog(made.get, key, ORIGIN, true, old, quiet);
      const other = { ...old, root: toBase64(sha256(Uint8Array.of(9))) };
      await assert.rejects(verifyLog(made.get, key, ORIGIN, true, other, quiet), /rewritten/);
    }
    const later: Remembered = { size: size + 1, root: toBase64(sha256()), at: "then" };
    await assert.rejects(verifyLog(made.get, key, ORIGIN, true, later, quiet), /taken away/);
  });
}

test("the root of every size is that of the RFC", () => {
  const { leaves } = make(300);
  const frontier = new Frontier();
  for (let size = 0; size <= 300; size++) {
    assert.ok(equal(frontier.root(), root(leaves.slice(0, size))));
    if (size < 300) frontier.push(leaves[size]!);
  }
});

test("every byte of every file matters", async () => {
  const made = make(300);
  for (const [name, whole] of made.files) {
    const step = Math.max(1, Math.floor(whole.length / 40));
    for (let at = 0; at < whole.length; at += step) {
      const bent = whole.slice();
      bent[at]! ^= 1;
      const get: Fetch = async (asked) => (asked === name ? bent : made.get(asked));
      await assert.rejects(verifyLog(get, key, ORIGIN, true, null, quiet), `${name} byte ${at}`);
    }
    const short: Fetch = async (asked) => (asked === name ? whole.slice(0, -1) : made.get(asked));
    await assert.rejects(verifyLog(short, key, ORIGIN, true, null, quiet), name);
  }
});

test("without entries the hashes alone are checked, and said to be", async () => {
  const made = make(300);
  made.files.delete(tilePath("entries", 0, 256));
  assert.equal((await verifyLog(made.get, key, ORIGIN, false, null, quiet)).entriesRead, false);
  made.files.get(tilePath(0, 0, 256))![5]! ^= 1;
  await assert.rejects(verifyLog(made.get, key, ORIGIN, false, null, quiet), /tile\/1|root/);
});

test("every entry is included where it stands, and nowhere else", () => {
  for (const size of [1, 2, 3, 5, 7, 8, 13]) {
    const { leaves } = make(size);
    const whole = root(leaves);
    for (let index = 0; index < size; index++) {
      const proof = path(index, leaves);
      for (let claimed = 0; claimed <= size; claimed++)
        assert.equal(included(claimed, size, leaves[index]!, proof, whole), claimed === index);
      assert.equal(included(index, size, leaves[index]!, [...proof, whole], whole), false);
      if (proof.length) assert.equal(included(index, size, leaves[index]!, proof.slice(1), whole), false);
    }
  }
});

test("a receipt proves its entry, its leaf and nothing else", async () => {
  const made = make(13);
  const receipt = (index: number, head = "c2sp.org/tlog-proof@v1") =>
    new Uint8Array(
      Buffer.concat([
        Buffer.from(`${head}\nindex ${index}\n${path(index, made.leaves).map((h) => `${toBase64(h)}\n`).join("")}\n`),
        made.files.get("checkpoint")!,
      ]),
    );
  const check = (r: Uint8Array, index: number, entry: Uint8Array | null, old: Remembered | null = null) =>
    verifyEntry(r, index, made.leaves[index]!, entry, key, ORIGIN, old);
  assert.equal((await check(receipt(4), 4, made.entries[4]!)).entryRead, true);
  assert.equal((await check(receipt(4), 4, null)).entryRead, false);
  await assert.rejects(check(receipt(5), 4, null), /receipt is of entry 5/);
  await assert.rejects(check(receipt(4), 4, made.entries[5]!), /do not give the leaf/);
  await assert.rejects(check(receipt(4, "c2sp.org/tlog-proof@v2"), 4, null), /cannot be read/);
  await assert.rejects(
    check(receipt(4), 4, null, { size: 13, root: toBase64(sha256()), at: "then" }),
    /another log of the same size/,
  );
  const bent = receipt(4);
  for (let at = 0; at < bent.length; at += 3) {
    const copy = bent.slice();
    copy[at]! ^= 1;
    await assert.rejects(check(copy, 4, null), `byte ${at}`);
  }
});

test("keys and notes that are not what they say", async () => {
  assert.throws(() => parseKey(VKEY.replace("+", "-")));
  assert.throws(() => parseKey(VKEY.replace(/\+[0-9a-f]{8}\+/, "+00000000+")), /ID/);
  const other = note(1, sha256(), "log.example/another");
  await assert.rejects(openCheckpoint(other, key), /not signed with this log's key/);
  await assert.rejects(openCheckpoint(new TextEncoder().encode("x"), key));
  const made = make(1);
  const whole = new TextDecoder().decode(made.files.get("checkpoint")!);
  const stranger = `${whole}— witness.example/w ${toBase64(new Uint8Array(72))}\n`;
  assert.equal((await openCheckpoint(new TextEncoder().encode(stranger), key)).size, 1);
});

test("Ed25519 in script agrees with that of the platform", async () => {
  const message = new TextEncoder().encode("words");
  const good = new Uint8Array(sign(null, message, secret));
  const bad = good.slice();
  bad[3]! ^= 1;
  const platform = globalThis.crypto;
  for (const crypto of [platform, {}]) {
    Object.defineProperty(globalThis, "crypto", { value: crypto, configurable: true });
    assert.equal(await signedBy(held, message, good), true);
    assert.equal(await signedBy(held, message, bad), false);
    assert.equal(await signedBy(held, new Uint8Array(5), good), false);
  }
  Object.defineProperty(globalThis, "crypto", { value: platform, configurable: true });
});

test("base64 is read strictly", () => {
  for (const odd of ["YQ", "YQ=", "YR==", "YQ==\n", " YQ==", "YQ-_"]) assert.throws(() => fromBase64(odd), odd);
  assert.deepEqual(fromBase64("YQ=="), Uint8Array.of(97));
});

test("tile paths", () => {
  assert.equal(tilePath(0, 1234067, 256), "tile/0/x001/x234/067");
  assert.equal(tilePath("entries", 1000, 3), "tile/entries/x001/000.p/3");
  assert.equal(tilePath(1, 0, 256), "tile/1/000");
});

test("hashes with their own prefixes", () => {
  const entry = new TextEncoder().encode("L0");
  assert.ok(equal(leafHash(entry), sha256(Uint8Array.of(0), entry)));
  assert.ok(equal(nodeHash(leafHash(entry), leafHash(entry)), root([leafHash(entry), leafHash(entry)])));
  assert.ok(equal(leafHash(new Uint8Array(65_535)), sha256(Uint8Array.of(0), new Uint8Array(65_535))));
});

test("times in the words of the server", () => {
  const lines = JSON.parse(process.env["AGO"] ?? "[]") as [number, number, string][];
  for (const [at, now, said] of lines) assert.equal(ago(at, now), said);
});
