// What makes two contracts the same: their operations, without metadata and pushed data.
import { createHash } from "node:crypto";

const PUSH1 = 0x60;
const PUSH32 = 0x7f;

/** Without the compiler's CBOR trailer, which ends in its own length (two bytes). */
function withoutMetadata(code) {
  if (code.length < 2) return code;
  const length = code.readUInt16BE(code.length - 2) + 2;
  const start = code.length - length;
  // A map of one to four entries: nothing else is taken for metadata.
  return start > 0 && code[start] >= 0xa1 && code[start] <= 0xa4 ? code.subarray(0, start) : code;
}

/** Hash of a runtime code's operations; `code` is hex with 0x. */
export function skeleton(code) {
  const bytes = withoutMetadata(Buffer.from(code.slice(2), "hex"));
  const operations = [];
  for (let at = 0; at < bytes.length; at += 1) {
    operations.push(bytes[at]);
    if (bytes[at] >= PUSH1 && bytes[at] <= PUSH32) at += bytes[at] - PUSH1 + 1;
  }
  return createHash("sha256").update(Buffer.from(operations)).digest("hex");
}
