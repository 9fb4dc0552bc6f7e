import { describe, expect, it } from 'vitest';
import { ManualSignalling, SharedSecret } from '../../../src/connect/signalling/manual.ts';
import type { SignallingStatus } from '../../../src/connect/signalling/signalling.ts';
import { Opener, Sealer } from '../../../src/connect/channel/envelope.ts';
import { decodeDescription, type Description, encodeDescription } from '../../../src/connect/signalling/description.ts';
import { packDescription, unpackDescription } from '../../../src/connect/signalling/packed-description.ts';
import { formatToken, GOOD_PAYLOAD, memberOf, parseToken, TokenError } from '../../../src/connect/signalling/token.ts';
import { sameBytes } from '../../../src/net/bytes.ts';
import { seededRandom } from '../../../src/lab/random.ts';
import { createLab, DEFAULT_SERVER, type LabOptions } from '../../../src/lab/topology.ts';
import { StunMux } from '../../../src/stun/mux.ts';
import { sleep } from '../../../src/net/wait.ts';

const SHARE = new Uint8Array(32).fill(3);
const [MINE, THEIRS] = [new Uint8Array(16).fill(1), memberOf(SHARE)];
/** A description that is told apart by its port. */
const about = (port: number): Description => ({
  hosts: [{ address: '192.168.1.3', port }],
  reflexive: [],
  late: undefined,
  profile: undefined,
  aim: undefined,
});
const portIn = (description: Description | undefined) => description?.hosts[0]?.port;
const tokenOf = (share: Uint8Array, port: number): string =>
  formatToken({ share, payload: packDescription(about(port), GOOD_PAYLOAD) });
const THEIR_TOKEN = tokenOf(SHARE, 9);

interface Course {
  readonly lab?: LabOptions;
  /** What is pasted, one after the other; then nothing. */
  readonly pasted?: readonly (string | ((secret: SharedSecret) => string))[];
  readonly settledAtMs?: number;
  readonly believes?: boolean;
  readonly forMs?: number;
}

const run = ({ lab = {}, pasted = [], settledAtMs, believes = true, forMs = 5_000 }: Course) =>
  createLab(lab).run(async (env) => {
    const { clock, random } = env;
    const socket = await env.udp.open({ family: 4 });
    const start = clock.now();
    const log: unknown[] = [];
    const at = (...what: unknown[]) => void log.push([clock.now() - start, ...what]);
    const secret = new SharedSecret(random);
    const lines = [...pasted];
    const signalling = new ManualSignalling({
      mux: new StunMux(socket),
      send: () => at('kept'),
      server: { address: '40.30.20.10', port: 3478 },
      hasRelay: false,
      member: secret.member,
      secret,
      clock,
      random,
      observed: ({ mapped }) => {
        at('observed', mapped.address);
        return believes;
      },
      trouble: ({ kind }) => at('trouble', kind),
      show: (token) => at('shown', portIn(unpackDescription(parseToken(token).payload))),
      read: async () => {
        const next = lines.shift();
        return typeof next === 'function' ? next(secret) : next;
      },
      complain: ({ kind }) => at('complaint', kind),
    });
    signalling.subscribe({
      peer: ({ member, payload, observed }) => {
        const opened = new Opener(secret.descriptionKey(member)).open(payload);
        at('peer', sameBytes(member, THEIRS), portIn(opened && decodeDescription(opened.body)), observed);
      },
      status: (status: SignallingStatus) => at(status),
      unsendable: () => at('unsendable'),
    });
    const sealer = new Sealer(secret.descriptionKey(secret.member));
    const publish = (port: number, settled: boolean): void =>
      signalling.publish(sealer.seal(0, encodeDescription(about(port))), settled);
    publish(4, false);
    if (settledAtMs !== undefined) {
      await sleep(clock, settledAtMs);
      publish(5, true);
    }
    await sleep(clock, forMs);
    signalling.close();
    signalling.close();
    await sleep(clock, 60_000);
    socket.close();
    return { log, secret };
  });

describe('signalling by hand', () => {
  it('shows the token once all is measured, and takes the other one', async () => {
    const { log, secret } = await run({ pasted: [THEIR_TOKEN], settledAtMs: 600 });
    expect(log).toEqual([
      [40, 'observed', '12.13.14.15'],
      [600, 'waiting'],
      [600, 'shown', 5],
      [600, 'paired'],
      [600, 'peer', true, 9, undefined],
    ]);
    expect(secret.dataKey(MINE, THEIRS)).toHaveLength(32);
  });

  it('shows what there is after three seconds, and keeps the mapping while people take their time', async () => {
    const { log } = await run({ pasted: [], forMs: 25_000 });
    expect(log).toEqual([
      [40, 'observed', '12.13.14.15'],
      [3_000, 'waiting'],
      [3_000, 'shown', 4],
      [3_000, 'given-up'],
      [13_000, 'kept'],
      [23_000, 'kept'],
    ]);
  });

  it.each([
    ['silent', { state: 'dead' }, 3_000],
    ['refused', { faults: ['error'] }, 40],
    ['useless', { faults: ['no-mapped-address'] }, 40],
  ])('says that the server is %s before it shows the token', async (kind, spec, ms) => {
    const { log } = await run({ lab: { servers: [{ ...DEFAULT_SERVER, ...spec } as typeof DEFAULT_SERVER] } });
    expect(log.slice(0, 3)).toEqual([
      [ms, 'trouble', kind],
      [ms, 'waiting'],
      [ms, 'shown', 4],
    ]);
  });

  it('has the same trouble with what cannot be true', async () => {
    const { log } = await run({ believes: false });
    expect(log.slice(0, 3)).toEqual([
      [40, 'observed', '12.13.14.15'],
      [40, 'trouble', 'useless'],
      [40, 'waiting'],
    ]);
  });

  it('complains of what is no token, of a damaged one and of our own, and reads on', async () => {
    const damaged = `${THEIR_TOKEN.slice(0, -2)}AA`;
    const nowhere = formatToken({ share: SHARE, payload: Uint8Array.of(0, 9) });
    const own = (secret: SharedSecret) => tokenOf(secret.share, 1);
    const { log } = await run({ pasted: ['hello', damaged, nowhere, own, THEIR_TOKEN], settledAtMs: 100 });
    expect(log.slice(3)).toEqual([
      [100, 'complaint', 'no-token'],
      [100, 'complaint', 'damaged'],
      [100, 'complaint', 'damaged'],
      [100, 'complaint', 'own'],
      [100, 'paired'],
      [100, 'peer', true, 9, undefined],
    ]);
  });

  it('is given up where nothing is pasted, and silent after its end', async () => {
    expect((await run({ settledAtMs: 100 })).log.at(-1)).toEqual([100, 'given-up']);
    expect((await run({ forMs: 10 })).log).toEqual([]);
  });
});

describe('the shared secret', () => {
  const of = (name: string) => new SharedSecret(seededRandom(1, name));

  it('comes to the same keys on both sides, from both shares', () => {
    const [a, b, c] = [of('a'), of('b'), of('c')];
    a.meet(b.share);
    b.meet(a.share);
    c.meet(a.share);
    expect(a.dataKey(MINE, THEIRS)).toEqual(b.dataKey(MINE, THEIRS));
    expect(a.iceOf(MINE)).toEqual(b.iceOf(MINE));
    expect(c.dataKey(MINE, THEIRS)).not.toEqual(b.dataKey(MINE, THEIRS));
    // A key whose secret everybody knows.
    expect(() => of('d').meet(new Uint8Array(32))).toThrow('its key is none');
  });

  it('seals descriptions before the other share is known, and nothing else', () => {
    const a = of('a');
    expect(a.descriptionKey(MINE)).toEqual(of('b').descriptionKey(MINE));
    expect(() => a.dataKey(MINE, THEIRS)).toThrow('not known yet');
    expect(() => a.iceOf(MINE)).toThrow('not known yet');
    expect(new TokenError('own', 'x').name).toBe('TokenError');
  });
});
