/** Where things stand in a STUN message (RFC 8489 §5 and §14). */
export const HEADER = 20;
export const ATTRIBUTE_HEADER = 4;
export const MAGIC_COOKIE = 0x2112a442;

export const readU16 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) << 8) | (bytes[at + 1] as number);

export const writeU16 = (bytes: Uint8Array, at: number, value: number): void => {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
};

export const readU32 = (bytes: Uint8Array, at: number): number => readU16(bytes, at) * 0x10000 + readU16(bytes, at + 2);

export const writeU32 = (bytes: Uint8Array, at: number, value: number): void => {
  writeU16(bytes, at, value >>> 16);
  writeU16(bytes, at + 2, value);
};
