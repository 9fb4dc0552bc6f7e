import { addressBytes, type Endpoint } from '../net/address.ts';

/**
 * What an application-layer gateway does to a payload: each occurrence of one address becomes another, its port too
 * where it stands right before the address, as in MAPPED-ADDRESS. XOR-MAPPED-ADDRESS exists to survive this (RFC 5389 §15.2).
 */
export function rewriteAddress(data: Uint8Array, from: Endpoint, to: Endpoint): Uint8Array {
  const old = addressBytes(from.address);
  const fresh = addressBytes(to.address);
  if (!old || !fresh || old.length !== fresh.length) return data;
  let result = data;
  for (let at = 0; at + old.length <= data.length; at++) {
    if (!old.every((byte, i) => data[at + i] === byte)) continue;
    if (result === data) result = data.slice();
    result.set(fresh, at);
    if (at >= 2 && data[at - 2] === from.port >> 8 && data[at - 1] === (from.port & 0xff))
      result.set([to.port >> 8, to.port & 0xff], at - 2);
  }
  return result;
}
