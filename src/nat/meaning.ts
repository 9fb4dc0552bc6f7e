/** What a verdict means for its reader: the type in words, and with whom a direct path will work. One table, so that a new type does not compile until it is worded. */
import type { Mapping } from './mapping.ts';
import type { NatType } from './type.ts';

interface Meaning {
  readonly words: string;
  readonly advice: string;
  /** Whether a direct path works at least with every peer that is not symmetric. */
  readonly direct: boolean;
  readonly cone: boolean;
}

const MEANINGS: Readonly<Record<NatType, Meaning>> = {
  'open-internet': {
    words: 'open internet: no NAT, no filter',
    advice: 'Anybody can reach this host directly; a direct path works with every peer that can send UDP.',
    direct: true,
    cone: false,
  },
  'udp-firewall': {
    words: 'no NAT, but a firewall that lets in only answers',
    advice:
      'A direct path works with every peer, also behind a NAT, as long as this host sends first or both do; with a symmetric NAT the port must be guessed if the firewall filters by port.',
    direct: true,
    cone: false,
  },
  'full-cone': {
    words: 'full cone NAT',
    advice:
      'Whoever knows the public side can send to it; a direct path works with every peer, symmetric NATs included.',
    direct: true,
    cone: true,
  },
  'restricted-cone': {
    words: 'restricted cone NAT',
    advice:
      "Hole punching works with every peer, symmetric NATs included: one packet to the peer's address opens the way for all its ports.",
    direct: true,
    cone: true,
  },
  'port-restricted-cone': {
    words: 'port-restricted cone NAT',
    advice:
      'Hole punching works with every peer except one behind a symmetric NAT; that one needs port prediction or a relay.',
    direct: true,
    cone: true,
  },
  symmetric: {
    words: 'symmetric NAT',
    advice:
      'Hole punching works with open hosts, full and restricted cones; with a port-restricted cone it needs port prediction, with another symmetric NAT usually a relay.',
    direct: false,
    cone: false,
  },
  'udp-blocked': {
    words: 'UDP is blocked',
    advice: 'No direct UDP path will work from here; use a relay over TCP or TLS.',
    direct: false,
    cone: false,
  },
  unknown: {
    words: 'unknown',
    advice: 'The measurement could not decide; the notes say why.',
    direct: false,
    cone: false,
  },
};

export const advice = (type: NatType): string => MEANINGS[type].advice;

/** What a mapping alone tells, where the filtering and so the type are unknown. */
const HALVES: Readonly<Partial<Record<Mapping, { readonly words: string; readonly advice: string }>>> = {
  'endpoint-independent': {
    words: 'unknown: one of the three cone NATs',
    advice:
      'Hole punching works with every peer that is not behind a symmetric NAT; with one that is, it depends on the filtering, which could not be told. The notes say why.',
  },
  none: {
    words: 'unknown: no NAT, but perhaps a firewall',
    advice:
      'No NAT translates on the way to that server. Whether a firewall lets in more than answers could not be told; a direct path works when this host sends first.',
  },
};

/** Type and advice for people; where the type is unknown they say what is known all the same. */
export function meaningOf({ type, mapping }: { readonly type: NatType; readonly mapping: Mapping }): {
  readonly words: string;
  readonly advice: string;
} {
  return (type === 'unknown' ? HALVES[mapping] : undefined) ?? MEANINGS[type];
}

/** The words that `--expect` takes: every type, and two that stand for several. */
export const EXPECTABLE: readonly string[] = [...Object.keys(MEANINGS), 'cone', 'p2p'];

/**
 * Whether the verdict is among the expected words; `cone` is any of the three cones, `p2p` whatever hole punching works with. A proven
 * mapping is enough for both, even where the filtering and so the type are unknown.
 */
export function isExpected(
  { type, mapping }: { readonly type: NatType; readonly mapping: Mapping },
  words: readonly string[],
): boolean {
  const cone = MEANINGS[type].cone || (type === 'unknown' && mapping === 'endpoint-independent');
  const direct = cone || MEANINGS[type].direct || (type === 'unknown' && mapping === 'none');
  return words.some((word) => word === type || (word === 'cone' && cone) || (word === 'p2p' && direct));
}
