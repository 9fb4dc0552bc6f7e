import { describe, expect, it } from 'vitest';
import type { Profile } from '../../../src/nat/profile.ts';
import { causeOf, type Evidence, HOPELESS_MS, NAMED_MS, type SideEvidence } from '../../../src/probe/webrtc/cause.ts';

const profile = (mapping: Profile['mapping'], filtering: Profile['filtering'] = 'unknown'): Profile => ({
  mapping,
  filtering,
  allocation: { pattern: 'random' },
  complete: true,
});
const EASY = profile('endpoint-independent', 'address-and-port-dependent');
const HARD = profile('address-and-port-dependent', 'address-and-port-dependent');

const side = (more: Partial<SideEvidence> = {}): SideEvidence => ({
  candidates: 2,
  hosts: 1,
  hidden: 0,
  mapped: 1,
  relayed: 0,
  open: false,
  profile: EASY,
  gathered: true,
  ...more,
});
const evidence = (more: Partial<Evidence> = {}): Evidence => ({
  elapsedMs: NAMED_MS,
  relayOnly: false,
  servers: 3,
  relay: undefined,
  hasRelay: false,
  terminal: side(),
  browser: side(),
  checksIn: 0,
  answersIn: 0,
  ...more,
});

/** Nothing that came from a server. */
const UNSEEN = { candidates: 1, mapped: 0 } as const;
const HIDDEN = { candidates: 1, mapped: 0, hidden: 1 } as const;
const NONE = { candidates: 0, hosts: 0, mapped: 0 } as const;

describe('the cause', () => {
  it.each<[string, Partial<Evidence>, string, boolean]>([
    ['the browser learns nothing, and this host does', { browser: side(UNSEEN) }, 'browser-udp-blocked', true],
    ['this host learns nothing, and the browser does', { terminal: side(UNSEEN) }, 'terminal-udp-blocked', true],
    ['neither learns anything', { terminal: side(UNSEEN), browser: side(UNSEEN) }, 'no-public-address', true],
    ['symmetric here, port-restricted there', { terminal: side({ profile: HARD }) }, 'ports-must-be-guessed', true],
    ['port-restricted here, symmetric there', { browser: side({ profile: HARD }) }, 'ports-must-be-guessed', true],
    [
      'symmetric on both sides',
      { terminal: side({ profile: HARD }), browser: side({ profile: HARD }) },
      'ports-must-be-guessed',
      true,
    ],
    [
      'names alone, and no server',
      { servers: 0, browser: side(HIDDEN), terminal: side(UNSEEN) },
      'local-addresses-hidden',
      true,
    ],
    ['no candidate, and no more to come', { elapsedMs: 0, browser: side(NONE) }, 'no-candidates', true],
    [
      'no candidate for a while',
      { elapsedMs: 2_000, browser: side({ ...NONE, gathered: false }) },
      'no-candidates',
      false,
    ],
    ['relays alone, and none named', { elapsedMs: 0, relayOnly: true }, 'no-relay', true],
    [
      'relays alone, and the one refuses',
      { elapsedMs: 500, relayOnly: true, hasRelay: true, relay: 'login-refused', browser: side(NONE) },
      'relay-failed',
      true,
    ],
    ['nothing that explains it, for now', {}, 'no-path', false],
    ['nothing that explains it, at the end', { elapsedMs: HOPELESS_MS }, 'no-path', true],
    ['an address of the internet on one side', { browser: side({ ...UNSEEN, open: true }) }, 'no-path', false],
    [
      'UDP is blocked, but a relay may come',
      { browser: side(UNSEEN), hasRelay: true, relay: 'works' },
      'browser-udp-blocked',
      false,
    ],
    [
      'UDP is blocked, and the relay does not help',
      { browser: side(UNSEEN), hasRelay: true, relay: 'udp-blocked' },
      'browser-udp-blocked',
      true,
    ],
  ])('%s', (_, seen, cause, final) => {
    expect(causeOf(evidence(seen))).toEqual({ cause, final });
  });

  it.each<[string, Partial<Evidence>]>([
    ['what may be, before it is time', { elapsedMs: NAMED_MS - 1, terminal: side({ profile: HARD }) }],
    ['a relay that is still being checked', { elapsedMs: 500, relayOnly: true, hasRelay: true, browser: side(NONE) }],
    ['a browser that has just begun', { elapsedMs: 100, browser: side({ ...NONE, gathered: false }) }],
  ])('is not told of %s', (_, seen) => {
    expect(causeOf(evidence(seen))).toBeUndefined();
  });

  it('is no blocked UDP where a check of the browser came in', () => {
    expect(causeOf(evidence({ browser: side(UNSEEN), checksIn: 1 }))?.cause).toBe('no-path');
  });

  it('is no NAT where the other side lets in any port', () => {
    const open = profile('endpoint-independent', 'endpoint-independent');
    const seen = evidence({ terminal: side({ profile: open }), browser: side({ profile: HARD }) });
    expect(causeOf(seen)).toEqual({ cause: 'no-path', final: false });
  });
});
