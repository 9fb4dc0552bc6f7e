import type { Random } from '../net/env.ts';

/** The order of the group (SEC 2 §2.4.2). */
const ORDER = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');

/** A private key of P-256: 32 bytes, uniform from 1 up to the order. */
export function p256Scalar(random: Random): Uint8Array {
  for (;;) {
    const bytes = random.bytes(32);
    if (Buffer.compare(bytes, ORDER) < 0 && bytes.some((byte) => byte !== 0)) return bytes;
  }
}
