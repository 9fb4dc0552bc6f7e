import { describe, expect, it } from 'vitest';
import type { DtlsOptions } from '../../src/dtls/api.ts';
import { DtlsError, type DtlsErrorKind } from '../../src/dtls/error.ts';
import { seededRandom } from '../../src/lab/random.ts';
import { GOLDEN, optionsOf, record, renew, sealer } from './recorded.ts';
import { DtlsConnection } from '../../src/dtls/connection.ts';
import { encodeMessage } from '../../src/dtls/fragments.ts';
import { CONTENT } from '../../src/dtls/record.ts';
import { ALICE, connect, type End, isUp, type Pair, pair, start } from './link.ts';

const failure = ({ last }: End): DtlsErrorKind | undefined => (last?.kind === 'failed' ? last.error.kind : undefined);
const heardAlert = ({ last }: End): number | undefined => (last?.kind === 'failed' ? last.error.alert : undefined);
const settle = ({ world }: Pair, ms = 5_000): void => void world.run(() => false, world.now + ms);
const kinds = ({ actions }: End): string[] => actions.map(({ kind }) => kind);

describe('two of ours', () => {
  it('agree within two round trips, each knowing the other, and talk', () => {
    const made = pair(1);
    expect(connect(made)).toBe(true);
    expect(made.world.now).toBe(80);
    const { client, server } = made;
    client.say('from the client');
    server.say('from the server');
    settle(made);
    expect([client.data, server.data]).toEqual([['from the server'], ['from the client']]);
    expect(client.actions[0]).toMatchObject({ kind: 'connected' });
    expect(server.actions[0]).toEqual({ kind: 'connected', certificate: ALICE.certificate });
    expect([client.connection.counters.handshakes, server.connection.counters.handshakes]).toEqual([2, 2]);
  });

  it('agree where each side has one group or cookies are asked for', () => {
    const made = pair(2, {}, { server: { cookie: true } });
    expect(connect(made)).toBe(true);
    expect(made.world.now).toBe(120);
  });

  it('agree over a path that takes 200 bytes', () => {
    const options: Partial<DtlsOptions> = { mtu: 200 };
    const made = pair(3, {}, { client: options, server: options });
    let longest = 0;
    for (const end of [made.client, made.server])
      end.tamper = (data) => {
        longest = Math.max(longest, data.length);
        return data;
      };
    expect(connect(made)).toBe(true);
    expect(longest).toBeLessThanOrEqual(200);
  });

  it('say goodbye', () => {
    const made = pair(4);
    connect(made);
    made.client.feed({ kind: 'close' });
    settle(made);
    expect(made.client.last).toEqual({ kind: 'closed', by: 'us' });
    expect(made.server.last).toEqual({ kind: 'closed', by: 'peer' });
    expect(made.server.connection.wakeAt()).toBeUndefined();
  });
});

describe('on paths of every kind', () => {
  // Thousands: NAT_TOOL_WEBRTC_SEEDS=10000.
  const seeds = Number(process.env['NAT_TOOL_WEBRTC_SEEDS'] ?? 150);
  it(`both sides get there, ${seeds} times at 0 to 20 % loss`, { timeout: 600_000 }, () => {
    const slow: number[] = [];
    for (let seed = 0; seed < seeds; seed++) {
      const random = seededRandom(seed, 'paths');
      const way = () => ({
        delayMs: 0.5 + random.unit() * 300,
        loss: random.chance(0.2) ? 0 : random.unit() * 0.2,
        reorder: random.unit() * 0.3,
        reorderMs: random.unit() * 200,
        duplicate: random.unit() * 0.2,
      });
      const mtu = [1200, 1200, 300][random.below(3)];
      const cookie = random.chance(0.3);
      const made = pair(seed, { up: way(), down: way() }, { client: { mtu }, server: { mtu, cookie } });
      if (!connect(made)) slow.push(seed);
      made.client.say('a');
      made.server.say('b');
      settle(made);
      for (const { data } of [made.client, made.server]) expect(new Set(data).size).toBe(data.length);
      if (!isUp(made.client) || !isUp(made.server)) slow.push(seed);
    }
    expect(slow).toEqual([]);
  });

  it('every single datagram of the handshake may be lost', () => {
    for (let lost = 0; lost < 4; lost++) {
      const made = pair(`lost ${lost}`);
      let nth = 0;
      for (const end of [made.client, made.server]) end.tamper = (data) => (nth++ === lost ? undefined : data);
      expect([lost, connect(made)]).toEqual([lost, true]);
      expect(made.world.now).toBeLessThanOrEqual(280);
    }
  });

  it('what overtakes the end of the handshake is kept', () => {
    const made = pair(6, { down: { delayMs: 20 } });
    let held: Uint8Array | undefined;
    made.server.tamper = (data) => {
      if (data[0] !== 20) return data;
      held = data;
      return undefined;
    };
    start(made);
    made.world.run(() => isUp(made.server), 1_000);
    for (let nth = 0; nth < 20; nth++) made.server.say(`early ${nth}`);
    made.world.run(() => false, made.world.now + 30);
    expect(made.client.actions).toEqual([]);
    made.client.feed({ kind: 'datagram', data: held as Uint8Array });
    expect(made.client.data).toEqual(Array.from({ length: 16 }, (_, nth) => `early ${nth}`));
  });
});

describe('somebody else', () => {
  it('with another certificate is not believed, and is told so', () => {
    const other = [{ ...ALICE.fingerprint, value: ALICE.fingerprint.value.replace(/^../, '00') }];
    for (const [wary, fooled] of [
      ['client', 'server'],
      ['server', 'client'],
    ] as const) {
      const made = pair(7, {}, { [wary]: { expected: other } });
      connect(made, 2_000);
      expect([failure(made[wary]), failure(made[fooled]), heardAlert(made[fooled])]).toEqual([
        'fingerprint',
        'alert',
        42,
      ]);
      expect([...kinds(made[wary]), ...kinds(made[fooled])]).toEqual(['failed', 'failed']);
    }
  });

  it('who shows the right certificate without having its key is found out', () => {
    for (const [thief, wary] of [
      ['client', 'server'],
      ['server', 'client'],
    ] as const) {
      const { certificate, fingerprint } = ALICE;
      const sign = (data: Uint8Array): Uint8Array => ALICE.sign(Buffer.concat([data, Uint8Array.of(1)]));
      const made = pair(
        8,
        {},
        { [thief]: { identity: { certificate, fingerprint, sign } }, [wary]: { expected: [fingerprint] } },
      );
      connect(made, 2_000);
      expect(failure(made[wary])).toBe('signature');
    }
  });

  it('who changes the handshake on the way makes it fail', () => {
    const made = pair(9);
    // x25519 is no longer offered: a weaker choice than the client's.
    made.client.tamper = (data) => {
      const bytes = Buffer.from(data);
      const at = bytes.indexOf(Buffer.from('001d0017', 'hex'));
      if (at > 0) bytes.writeUInt32BE(0x00170017, at);
      return bytes;
    };
    connect(made, 5_000);
    expect([isUp(made.client), isUp(made.server)]).toEqual([false, false]);
  });

  it('who never answers is given up after the time that was set', () => {
    const made = pair(10, {}, { client: { patienceMs: 3_000 } });
    made.client.feed({ kind: 'start' });
    made.client.tamper = () => undefined;
    settle(made, 10_000);
    expect(failure(made.client)).toBe('timeout');
    expect(made.client.connection.counters.handshakes).toBe(5);
  });
});

describe('once connected', () => {
  const connected = (seed: number): Pair => {
    const made = pair(seed);
    connect(made);
    return made;
  };

  it('what comes twice counts once', () => {
    const made = connected(11);
    const { client, server } = made;
    const seen: Uint8Array[] = [];
    client.tamper = (data) => {
      seen.push(data);
      return data;
    };
    client.say('once');
    settle(made);
    for (const data of seen) server.feed({ kind: 'datagram', data });
    expect(server.data).toEqual(['once']);
    expect(server.connection.counters.replayed).toBe(1);
  });

  it('what nobody sealed changes nothing: alerts, handshakes, data', () => {
    const { server } = connected(12);
    const before = server.actions.length;
    for (const hex of [
      '15fefd00000000000000090002' + '0228',
      '16fefd0000000000000009000c' + '010000000000000000000000',
      '17fefd0000000000000009000161',
    ])
      server.feed({ kind: 'datagram', data: Buffer.from(hex, 'hex') });
    expect(server.actions).toHaveLength(before);
    expect(server.connection.counters.dropped).toBe(3);
    expect(isUp(server)).toBe(true);
  });

  it('a client that lacks the last flight gets it again, as long as it sends no data', () => {
    const made = pair(13);
    let losses = 3;
    made.server.tamper = (data) => (data[0] === 20 && losses-- > 0 ? undefined : data);
    expect(connect(made)).toBe(true);
    expect(losses).toBeLessThanOrEqual(0);
  });
});

describe('a handshake with fixed randomness', () => {
  const recorded = record();
  if (process.env['UPDATE_TRANSCRIPTS'] === '1') renew(recorded);
  const { datagrams } = recorded;

  it('is the same on the wire, byte for byte', () => {
    const hex = (list: readonly Uint8Array[]): string[] => list.map((each) => Buffer.from(each).toString('hex'));
    expect({ client: hex(datagrams.client), server: hex(datagrams.server) }).toEqual(GOLDEN.datagrams);
  });

  /** One side, up to where it is connected. */
  const alone = (role: 'client' | 'server'): DtlsConnection => {
    const connection = new DtlsConnection(optionsOf(role));
    connection.handle({ kind: 'start' }, 0);
    for (const data of datagrams[role === 'client' ? 'server' : 'client'])
      connection.handle({ kind: 'datagram', data }, 0);
    expect(connection.state).toBe('connected');
    return connection;
  };

  it('is not begun anew: who asks is told no, eight times', () => {
    for (const role of ['client', 'server'] as const) {
      const connection = alone(role);
      const seal = sealer(recorded, role === 'client' ? 'server' : 'client');
      const hello = encodeMessage({ type: role === 'client' ? 0 : 1, sequence: 9, body: new Uint8Array() });
      const answers = Array.from({ length: 20 }, () =>
        connection.handle({ kind: 'datagram', data: seal(CONTENT.handshake, hello) }, 0),
      ).flat();
      expect([answers.length, connection.state]).toEqual([8, 'connected']);
      // An alert, sealed: no renegotiation is a warning.
      expect(answers.every((each) => each.kind === 'transmit' && each.data[0] === CONTENT.alert)).toBe(true);
    }
  });

  it('is ended by a sealed alert, and by no other', () => {
    const seal = sealer(recorded, 'client');
    const server = alone('server');
    expect(server.handle({ kind: 'datagram', data: seal(CONTENT.alert, Uint8Array.of(1, 90)) }, 0)).toEqual([]);
    expect(server.handle({ kind: 'datagram', data: seal(CONTENT.alert, Uint8Array.of(2, 80)) }, 0)).toMatchObject([
      { kind: 'failed', error: { kind: 'alert', alert: 80 } },
    ]);
  });

  it('comes to its end in whatever order its records arrive', () => {
    for (const role of ['client', 'server'] as const) {
      const connection = new DtlsConnection(optionsOf(role));
      connection.handle({ kind: 'start' }, 0);
      const records = datagrams[role === 'client' ? 'server' : 'client'].flatMap((datagram) => splitRecords(datagram));
      const [first, ...rest] = role === 'client' ? [undefined, ...records] : records;
      if (first) connection.handle({ kind: 'datagram', data: first }, 0);
      for (const data of rest.reverse()) connection.handle({ kind: 'datagram', data: data as Uint8Array }, 0);
      expect([role, connection.state]).toEqual([role, 'connected']);
    }
  });
});

function splitRecords(datagram: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let at = 0; at < datagram.length; ) {
    const end = at + 13 + (((datagram[at + 11] as number) << 8) | (datagram[at + 12] as number));
    records.push(datagram.subarray(at, end));
    at = end;
  }
  return records;
}

it('errors are typed', () => {
  expect(new DtlsError('alert', 'x', 40)).toMatchObject({ name: 'DtlsError', kind: 'alert', alert: 40 });
});
