/** CRC32c (Castagnoli), as RFC 9260 Appendix A asks of SCTP packets. */
const REFLECTED = 0x82f63b78;

/** Eight tables: one look-up of each takes eight bytes at a time. */
const TABLES = ((): readonly Uint32Array[] => {
  const tables = Array.from({ length: 8 }, () => new Uint32Array(256));
  const [first] = tables as [Uint32Array];
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? REFLECTED : 0);
    first[byte] = value;
  }
  for (let nth = 1; nth < 8; nth++) {
    const [before, here] = [tables[nth - 1], tables[nth]] as [Uint32Array, Uint32Array];
    for (let byte = 0; byte < 256; byte++) {
      const value = before[byte] as number;
      here[byte] = (value >>> 8) ^ (first[value & 0xff] as number);
    }
  }
  return tables;
})();

/** Of all `bytes`, with the four at `hole` counted as zeros: where the checksum itself stands. */
export function crc32c(bytes: Uint8Array, hole = -4): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES as unknown as readonly number[][] as [
    number[],
    number[],
    number[],
    number[],
    number[],
    number[],
    number[],
    number[],
  ];
  const { length } = bytes;
  let crc = 0xffffffff;
  let at = 0;
  const one = (): void => {
    const byte = at >= hole && at < hole + 4 ? 0 : (bytes[at] as number);
    crc = (crc >>> 8) ^ (t0[(crc ^ byte) & 0xff] as number);
    at++;
  };
  while (at < hole + 4 && at < length) one();
  for (; at + 8 <= length; at += 8) {
    const low =
      crc ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    crc =
      (t7[low & 0xff] as number) ^
      (t6[(low >>> 8) & 0xff] as number) ^
      (t5[(low >>> 16) & 0xff] as number) ^
      (t4[low >>> 24] as number) ^
      (t3[bytes[at + 4] as number] as number) ^
      (t2[bytes[at + 5] as number] as number) ^
      (t1[bytes[at + 6] as number] as number) ^
      (t0[bytes[at + 7] as number] as number);
  }
  while (at < length) one();
  return (crc ^ 0xffffffff) >>> 0;
}
