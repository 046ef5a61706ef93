// Ed25519 by the browser where it can, else in script: older browsers and plain http lack it.

import { hashes, verify } from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";

hashes.sha512 = sha512;

export async function signedBy(key: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  try {
    const subtle = globalThis.crypto?.subtle;
    if (subtle) {
      const held = await subtle.importKey("raw", own(key), { name: "Ed25519" }, false, ["verify"]);
      return await subtle.verify({ name: "Ed25519" }, held, own(signature), own(message));
    }
  } catch {
    // Not known to this browser: go on below.
  }
  return verify(signature, message, key, { zip215: false });
}

function own(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
