// Bytes and their spellings. Base64 is read strictly: what does not come back the same is refused.

export function fromBase64(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new Error("this is not base64");
  const raw = atob(text);
  const bytes = Uint8Array.from(raw, (sign) => sign.charCodeAt(0));
  if (toBase64(bytes) !== text) throw new Error("this base64 is not canonical");
  return bytes;
}

export function toBase64(bytes: Uint8Array): string {
  let raw = "";
  for (const byte of bytes) raw += String.fromCharCode(byte);
  return btoa(raw);
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, place) => byte === b[place]);
}

export function utf8(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

export function decimal(text: string): number {
  if (!/^(0|[1-9][0-9]{0,14})$/.test(text)) throw new Error("this is not a size");
  return Number(text);
}
