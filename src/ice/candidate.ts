/** ICE candidates (RFC 8445 §5.1): what they are, how they rank, which belong together. Pure. */
import { type Endpoint, type Family, familyOf, scopeOf } from '../net/address.ts';

export type CandidateType = 'host' | 'srflx' | 'prflx' | 'relay';

export interface Candidate {
  /** 1–32 characters of ALPHA, DIGIT, "+" and "/"; equal for candidates whose checks are likely to fare alike (§5.1.1.3). */
  readonly foundation: string;
  /** One data stream with one component is all that is supported. */
  readonly component: 1;
  readonly transport: 'udp';
  /** 1 to 2³¹ − 1. */
  readonly priority: number;
  readonly endpoint: Endpoint;
  readonly type: CandidateType;
  /** Of a reflexive or relayed candidate: its base, or the mapped address. For diagnosis only. */
  readonly related?: Endpoint | undefined;
}

/** §5.1.2.2. */
const TYPE_PREFERENCE: Readonly<Record<CandidateType, number>> = { host: 126, prflx: 110, srflx: 100, relay: 0 };

/** The local preference where there is but one address. */
const MAX_LOCAL_PREFERENCE = 0xffff;

/** §5.1.2.1. `localPreference` 0–65535, distinct for each local address (RFC 8421 recommends to favour IPv6). */
export function candidatePriority(type: CandidateType, localPreference: number = MAX_LOCAL_PREFERENCE): number {
  if (!Number.isInteger(localPreference) || localPreference < 0 || localPreference > MAX_LOCAL_PREFERENCE) {
    throw new RangeError(`a local preference is an integer from 0 to ${MAX_LOCAL_PREFERENCE}, not ${localPreference}`);
  }
  return TYPE_PREFERENCE[type] * 2 ** 24 + localPreference * 2 ** 8 + (256 - 1);
}

/** What a check from this candidate says in PRIORITY: its own priority, had it been learnt from the check (§7.1.1). */
export const peerReflexivePriority = (priority: number): number =>
  TYPE_PREFERENCE.prflx * 2 ** 24 + (priority % 2 ** 24);

/** §6.1.2.3, with G the controlling and D the controlled agent's candidate priority. 64 bits. */
export function pairPriority(controlling: number, controlled: number): bigint {
  const [low, high] = controlling < controlled ? [controlling, controlled] : [controlled, controlling];
  return (BigInt(low) << 32n) + 2n * BigInt(high) + (controlling > controlled ? 1n : 0n);
}

/** Gives out foundations: equal type, base address and server give the same one (§5.1.1.3). */
export class Foundations {
  readonly #known = new Map<string, string>();

  /** `base` is the address of the socket, `server` that of the STUN or TURN server that the candidate came from. */
  of(type: CandidateType, base: string, server?: string): string {
    const key = `${type} ${base} ${server ?? ''}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const fresh = String(this.#known.size + 1);
    this.#known.set(key, fresh);
    return fresh;
  }
}

/** Whether a pair of the two makes sense: same family, and link-local IPv6 only with its like (§6.1.2.2). */
export function canPair(local: Endpoint, remote: Endpoint): boolean {
  const family: Family = familyOf(local.address);
  if (family !== familyOf(remote.address)) return false;
  return family === 4 || (scopeOf(local.address) === 'link-local') === (scopeOf(remote.address) === 'link-local');
}
