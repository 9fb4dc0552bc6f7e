/** A measurement as a test tells it: real series on sockets that lead nowhere, with the answers put in. */
import type { Ground } from '../../../src/nat/evidence.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import type { Env, UdpSocket } from '../../../src/net/env.ts';
import type { BehaviourFacts, ServerTest } from '../../../src/probe/detect/facts.ts';
import { Probes, type ProbeSocket } from '../../../src/probe/detect/probes.ts';
import type { Purpose } from '../../../src/probe/detect/purpose.ts';
import type { Series } from '../../../src/probe/detect/series.ts';
import { type Attribute, attribute } from '../../../src/stun/attributes.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { decode, type MessageClass } from '../../../src/stun/message.ts';
import { StunMux } from '../../../src/stun/mux.ts';

export const at = (address: string, port = 3478): Endpoint => ({ address, port });
export const A = at('51.0.0.1');
export const B = at('51.0.0.2');
export const C = at('51.0.0.3');
export const LOCAL = at('192.168.1.3', 40_000);
export const PUBLIC = at('12.13.14.15', 40_000);

export const MAPPING: Purpose = { kind: 'mapping', number: 1 };
export const SECOND: Purpose = { kind: 'mapping', number: 2 };
export const ALLOCATION: Purpose = { kind: 'allocation' };

export interface Answer {
  readonly kind: MessageClass;
  readonly attributes: readonly Attribute[];
  readonly from?: Endpoint | undefined;
}

/** A success answer that saw this, with further attributes. */
export const saw = (mapped: Endpoint, ...more: readonly Attribute[]): Answer => ({
  kind: 'success',
  attributes: [attribute('XOR-MAPPED-ADDRESS', mapped), ...more],
});
export const failed = (code: number): Answer => ({
  kind: 'error',
  attributes: [attribute('ERROR-CODE', { code, reason: 'no' })],
});

/** Everything is sent at 0 ms and answered at 20; what is told is the time after. */
const ANSWERED_AT = 20;
const LONG_AFTER = 10_000;

export class Story {
  readonly probes: Probes;
  readonly facts: BehaviourFacts;
  readonly x: ProbeSocket;
  #now = 0;

  /** `routes`: the local address that leads to a remote one, where it is another than that of {@link LOCAL}; to be learnt with `probes.route`. */
  constructor(
    servers: readonly Endpoint[] = [A],
    { ground, routes = {} }: { ground?: Ground; routes?: Readonly<Record<string, string>> } = {},
  ) {
    const udp = {
      open: ({ remote }: { remote: Endpoint }) =>
        Promise.resolve(nowhere(at(routes[remote.address] ?? LOCAL.address, 1))),
    };
    const clock = { now: () => this.#now, after: () => () => {} };
    let ids = 0;
    const random = { bytes: (length: number) => new Uint8Array(length).fill(++ids) };
    this.probes = new Probes({ clock, random, udp } as unknown as Env, 4, undefined, ground);
    this.x = this.socket(LOCAL);
    this.facts = {
      probes: this.probes,
      servers,
      x: this.x,
      samples: [],
      tests: [],
      joined: [],
      unproven: undefined,
      hairpin: undefined,
      tcp: [],
      failure: undefined,
      stopped: undefined,
    };
  }

  socket(local: Endpoint): ProbeSocket {
    return { mux: new StunMux(nowhere(local)), local };
  }

  /** A series of so many sends, from the mapping socket unless told otherwise, and what came back. */
  ask(
    purpose: Purpose,
    to: Endpoint,
    answers: readonly Answer[] = [],
    { socket = this.x, sent = 1, server = to }: { socket?: ProbeSocket; sent?: number; server?: Endpoint } = {},
  ): Series {
    const series = this.probes.begin(purpose, socket, to, { server });
    this.#now = 0;
    for (let i = 0; i < sent; i++) series.send();
    for (const { kind, attributes, from = to } of answers) {
      const message = decode(encodeBinding(kind, new Uint8Array(12), attributes));
      series.replies.push({ message, from, at: ANSWERED_AT });
    }
    this.#now = LONG_AFTER;
    return series;
  }

  /** One more fresh socket, and what each of these saw of it. */
  sample(port: number, ...seen: readonly (readonly [to: Endpoint, mapped: Endpoint])[]): void {
    const socket = this.socket(at(LOCAL.address, port));
    this.facts.samples.push(socket);
    for (const [to, mapped] of seen) this.ask(ALLOCATION, to, [saw(mapped)], { socket });
  }

  test(part: Partial<ServerTest>): void {
    this.facts.tests.push({
      server: A,
      otherAddress: undefined,
      otherPort: undefined,
      honoursAddress: undefined,
      honoursPort: undefined,
      ...part,
    });
  }
}

const nowhere = (local: Endpoint): UdpSocket => ({
  local,
  send: () => Promise.resolve(),
  listen: () => {},
  close: () => {},
});
