/** CRC-32 of ITU V.42, as FINGERPRINT uses it (RFC 8489 §14.7). */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** The running CRC after `bytes[start, end)`; begin with 0. Unsigned. */
export function crc32(bytes: Uint8Array, start: number, end: number, crc = 0): number {
  let state = ~crc;
  for (let i = start; i < end; i++) state = (state >>> 8) ^ (TABLE[(state ^ (bytes[i] as number)) & 0xff] as number);
  return ~state >>> 0;
}
