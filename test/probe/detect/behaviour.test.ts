import { describe, expect, it } from 'vitest';
import { SERVER_FAULTS, type ServerFault } from '../../../src/lab/server-faults.ts';
import { startStunService } from '../../../src/lab/stun-service.ts';
import { Lab, type LabOptions, type ServerSpec } from '../../../src/lab/topology.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import { NetError, type UdpSocket } from '../../../src/net/env.ts';
import { measureBehaviour } from '../../../src/probe/detect/behaviour.ts';
import { conclude } from '../../../src/probe/detect/conclude.ts';
import { decode, transactionKey } from '../../../src/stun/message.ts';
import { contradictions, measure } from './truth.ts';

const NATS = [
  'none',
  'firewall',
  'full-cone',
  'restricted-cone',
  'port-restricted-cone',
  'symmetric',
  'symmetric,filtering=ei,ports=random',
  'symmetric,mapping=ad,filtering=ad',
  'cgnat',
  'linux',
];
const server = (faults: readonly ServerFault[], number = 1, more: Partial<ServerSpec> = {}): ServerSpec => ({
  name: `stun${number}.example.net`,
  addresses: [`40.30.2${number}.10`, `40.30.2${number}.11`],
  faults,
  ...more,
});
const kinds = (findings: readonly { kind: string }[]) => findings.map(({ kind }) => kind);

/** One server alone that names another public address is believed: nothing contradicts it. */
const BELIEVED: ReadonlySet<ServerFault> = new Set<ServerFault>(['lie-public']);

describe('whatever one server does wrong, no word is wrong', () => {
  for (const fault of SERVER_FAULTS) {
    (BELIEVED.has(fault) ? it.fails : it)(fault, async () => {
      for (const nat of NATS) {
        for (const loss of [0, 0.05]) {
          const result = await measure({ nat, loss, seed: 7, servers: [server([fault])] });
          expect(contradictions(result.truth, result), `${nat} at ${loss}`).toEqual([]);
        }
      }
    });
  }

  it('nor with a second server at hand, good or bad', async () => {
    for (const fault of SERVER_FAULTS) {
      if (BELIEVED.has(fault)) continue;
      for (const nat of ['firewall', 'full-cone', 'symmetric']) {
        for (const second of [[], ['no-other-address'], ['change-dropped'], ['wrong-id']] as ServerFault[][]) {
          const result = await measure({ nat, seed: 3, servers: [server([fault]), server(second, 2)] });
          expect(contradictions(result.truth, result), `${fault}, ${second} behind ${nat}`).toEqual([]);
        }
      }
    }
  });
});

describe('the reason for what is unknown', () => {
  const cases: [fault: ServerFault, nat: string, kind: string][] = [
    ['no-other-address', 'port-restricted-cone', 'server-lacks-rfc5780'],
    ['other-address-same-ip', 'port-restricted-cone', 'other-address-same-ip'],
    ['other-address-dead', 'port-restricted-cone', 'other-address-dead'],
    ['other-address-private', 'port-restricted-cone', 'other-address-unusable'],
    ['change-ignored', 'port-restricted-cone', 'change-request-ignored'],
    ['change-dropped', 'port-restricted-cone', 'change-request-ignored'],
    ['change-420', 'port-restricted-cone', 'change-request-rejected'],
    ['change-400', 'full-cone', 'change-request-rejected'],
    ['no-response-port', 'symmetric', 'change-request-unproven'],
    ['error', 'full-cone', 'server-error'],
    ['wrong-id', 'full-cone', 'stray-datagrams'],
    ['wrong-source', 'full-cone', 'server-wrong-source'],
    ['garbage', 'full-cone', 'stray-datagrams'],
    ['no-mapped-address', 'full-cone', 'server-useless'],
    ['unknown-attribute', 'full-cone', 'server-useless'],
    ['silent', 'full-cone', 'no-answer'],
  ];
  for (const [fault, nat, kind] of cases) {
    it(`${fault}: ${kind}`, async () => {
      const { findings } = await measure({ nat, servers: [server([fault])] });
      expect(kinds(findings)).toContain(kind);
    });
  }

  it('a dead server is not a blocked network', async () => {
    const { data, findings, outcome } = await measure({
      nat: 'full-cone',
      servers: [server([], 1, { state: 'dead' })],
    });
    expect(data.type).toBe('unknown');
    expect(outcome).toBe('failed');
    expect(kinds(findings)).toEqual(['no-answer']);
  });

  it('a closed port is told at once', async () => {
    const { data, findings, lab } = await measure({
      nat: 'full-cone',
      rttMs: 40,
      servers: [server([], 1, { state: 'closed' })],
    });
    expect(data.type).toBe('unknown');
    expect(kinds(findings)).toEqual(['server-refused']);
    expect(lab.world.now).toBeLessThan(100);
  });

  it('no network at all', async () => {
    const { findings, outcome } = await measure({ offline: true });
    expect(outcome).toBe('failed');
    expect(kinds(findings)).toEqual(['network-unreachable']);
  });
});

describe('a network that rejects UDP by ICMP, and lets TCP through', () => {
  const rejecting = async (kind: 'refused' | 'unreachable', servers: ServerSpec[]) => {
    const lab = new Lab({ nat: 'full-cone', servers });
    const measurement = await lab.run((env, signal) => {
      const reject = (socket: UdpSocket): UdpSocket =>
        new Proxy(socket, {
          get: (target, key) => {
            if (key === 'send') return () => Promise.reject(new NetError(kind, 'rejected'));
            const value: unknown = Reflect.get(target, key);
            return typeof value === 'function' ? value.bind(target) : value;
          },
        });
      const udp = {
        ...env.udp,
        open: async (...args: Parameters<typeof env.udp.open>) => reject(await env.udp.open(...args)),
      };
      return measureBehaviour({ ...env, udp }, 4, { servers: lab.servers, timeoutMs: 8000 }, signal);
    });
    return conclude(measurement).data.type;
  };

  it('is a blocked one when it is prohibited, or refused, for several servers', async () => {
    expect(await rejecting('unreachable', [server([]), server([], 2)])).toBe('udp-blocked');
    expect(await rejecting('refused', [server([]), server([], 2)])).toBe('udp-blocked');
  });

  it('may be one server without UDP, or one firewall before it, when there is no second one', async () => {
    expect(await rejecting('unreachable', [server([])])).toBe('unknown');
    expect(await rejecting('refused', [server([])])).toBe('unknown');
    expect(await rejecting('unreachable', [server([], 1, { state: 'closed' })])).toBe('unknown');
  });
});

describe('heavy loss', () => {
  it('is not blamed on an honest server', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const result = await measure({ nat: 'restricted-cone', loss: 0.45, seed, servers: [server([])] });
      expect(kinds(result.findings), `seed ${seed}`).not.toContain('change-request-ignored');
      expect(contradictions(result.truth, result), `seed ${seed}`).toEqual([]);
    }
  });
});

describe('with faults at hand that need not matter', () => {
  const definite: [name: string, servers: ServerSpec[]][] = [
    ['duplicated answers', [server(['duplicate'])]],
    ['strays before each answer', [server(['stray'])]],
    ['a dead server beside a good one', [server([], 1, { state: 'dead' }), server([], 2)]],
    ['a plain server beside a good one', [server(['no-other-address']), server([], 2)]],
    ['a server with a dead other address beside a good one', [server(['other-address-dead']), server([], 2)]],
    ['a server that errs beside a good one', [server(['error']), server([], 2)]],
  ];
  for (const [name, servers] of definite) {
    it.each(['none', 'firewall', 'full-cone', 'restricted-cone', 'port-restricted-cone', 'symmetric'])(
      `${name}: %s is found`,
      async (nat) => {
        const result = await measure({ nat, servers });
        expect(result.data.type).toBe(result.truth.type);
        expect(contradictions(result.truth, result)).toEqual([]);
      },
    );
  }

  it('two plain servers tell the mapping, and a symmetric NAT', async () => {
    const servers = [server(['no-other-address']), server(['no-other-address'], 2)];
    expect((await measure({ nat: 'full-cone', servers })).data).toMatchObject({
      mapping: 'endpoint-independent',
      filtering: 'unknown',
      type: 'unknown',
    });
    expect((await measure({ nat: 'symmetric', servers })).data).toMatchObject({
      mapping: 'unknown',
      type: 'symmetric',
    });
  });
});

describe('what the addresses show', () => {
  it('an ALG that rewrites payloads', async () => {
    const { findings, data } = await measure({ nat: 'port-restricted-cone,alg' });
    expect(kinds(findings)).toContain('payload-rewritten');
    expect(data.type).toBe('port-restricted-cone');
  });

  it('arbitrary pooling', async () => {
    const { findings } = await measure({ nat: 'port-restricted-cone,pool=4:arbitrary' });
    expect(kinds(findings)).toContain('address-pooling');
  });
});

describe('a limit of sessions', () => {
  it('makes no hairpin a lie: the probes may be what the NAT refused', async () => {
    for (let limit = 1; limit <= 20; limit++) {
      for (const nat of [
        'full-cone,hairpin',
        'port-restricted-cone,hairpin',
        'symmetric,filtering=ei,hairpin',
        'symmetric,filtering=ei,ports=random,hairpin',
        'symmetric,filtering=ei,ports=preserving,hairpin',
      ]) {
        const result = await measure({ nat: `${nat},limit=${limit}` });
        expect(contradictions(result.truth, result), `${nat}, ${limit}`).toEqual([]);
      }
    }
  });
});

describe('time', () => {
  const took = async (options: LabOptions) => (await measure({ rttMs: 40, ...options })).lab.world.now;
  it('is two round trips on the open internet and behind a hairpinning full cone', async () => {
    expect(await took({ nat: 'none' })).toBe(80);
    expect(await took({ nat: 'full-cone,hairpin' })).toBe(80);
  });

  it('is, where only hairpinning stays silent, a round trip and the sends that prove it', async () => {
    expect(await took({ nat: 'full-cone' })).toBe(164);
  });

  it('is the sends and one window behind filters', async () => {
    for (const nat of ['firewall', 'restricted-cone', 'port-restricted-cone']) expect(await took({ nat })).toBe(290);
    expect(await took({ nat: 'symmetric' })).toBe(290);
  });
});

describe('a server of bad manners', () => {
  it('that is nearly 2 s slow is not taken for one without UDP', async () => {
    for (const nat of ['none', 'full-cone', 'symmetric']) {
      const result = await measure({ nat, servers: [server(['very-slow'])] });
      expect(result.data.public, nat).not.toBeNull();
      expect(kinds(result.findings), nat).not.toContain('server-tcp-only');
      expect(contradictions(result.truth, result), nat).toEqual([]);
    }
  });

  it("that sends others' answers too is believed in what is ours", async () => {
    const { data, findings } = await measure({ nat: 'full-cone', servers: [server(['others-answers'])] });
    expect(data).toMatchObject({ type: 'full-cone', public: '12.13.14.15:24604' });
    expect([...new Set(kinds(findings))]).toEqual(['stray-datagrams']);
  });

  it('that answers every third request only still shows the mapping', async () => {
    const { data } = await measure({ nat: 'full-cone', servers: [server(['one-in-three'])] });
    expect(data).toMatchObject({ mapping: 'endpoint-independent', public: '12.13.14.15:24604' });
  });
});

describe('a slow path', () => {
  // What is still on its way is not lost: satellites and mobile networks have round trips that outlast all the sends.
  it.each([200, 400, 600, 900])('of %i ms is measured to the end and not called lossy', async (rttMs) => {
    for (const nat of [
      'none',
      'firewall',
      'full-cone',
      'restricted-cone',
      'port-restricted-cone',
      'symmetric',
      'symmetric,filtering=ei,ports=random',
    ]) {
      const result = await measure({ nat, rttMs });
      expect(result.data, nat).toMatchObject({
        type: result.truth.type,
        mapping: result.truth.mapping,
        filtering: result.truth.filtering,
      });
      expect(kinds(result.findings), nat).not.toContain('heavy-loss');
      for (const { test, rttMs: told } of result.data.evidence)
        if (told !== null && !/hairpin|tcp/.test(test)) expect(told, `${nat} ${test}`).toBe(rttMs);
      expect(result.lab.world.now, nat).toBeLessThanOrEqual(3 * rttMs + 300);
    }
  });
});

describe('when interrupted', () => {
  it('says what was learnt, at any moment', async () => {
    for (let abortAtMs = 0; abortAtMs < 285; abortAtMs += 10) {
      const result = await measure({ nat: 'port-restricted-cone' }, { abortAtMs });
      expect(result.outcome).toBe('partial');
      expect(kinds(result.findings)).toContain('interrupted');
      expect(contradictions(result.truth, result)).toEqual([]);
      if (abortAtMs > 90) expect(result.data.mapping).toBe('endpoint-independent');
    }
  });
});

describe('politeness', () => {
  // RFC 5780 §5, RFC 8489 §6.2.
  it.each([
    'none',
    'full-cone',
    'full-cone,hairpin',
    'restricted-cone',
    'port-restricted-cone',
    'symmetric',
    'symmetric,ports=random',
  ])('never more than ten transactions outstanding to a server: %s', async (nat) => {
    const { lab } = await measure({ nat, trace: true });
    const outstanding = new Set<string>();
    let most = 0;
    for (const event of lab.trace) {
      if (event.kind !== 'hop' && event.kind !== 'delivered') continue;
      const { payload, dst } = event.packet;
      if (payload.protocol !== 'udp') continue;
      const id = transactionKey(decode(payload.data).transactionId);
      if (event.kind === 'hop' && event.from === 'A' && dst.address.startsWith('40.30.20.')) outstanding.add(id);
      if (event.kind === 'delivered' && event.at === 'A') outstanding.delete(id);
      most = Math.max(most, outstanding.size);
    }
    expect(most).toBeGreaterThan(5);
    expect(most).toBeLessThanOrEqual(10);
  });
});

describe('where the server is', () => {
  const inside = async (local: boolean) => {
    const lab = new Lab({ nat: 'port-restricted-cone' });
    const address =
      lab
        .host('Ab')
        .interfaces()
        .find(({ internal }) => !internal)?.address ?? '';
    lab.serve('Ab', (env) => startStunService(env, { endpoints: { A1P1: { address, port: 3478 } } }));
    const ask = (servers: readonly Endpoint[]) =>
      lab.run((env, signal) => measureBehaviour(env, 4, { servers, timeoutMs: 8000, local }, signal));
    return { lab, server: { address, port: 3478 }, ask };
  };

  it('inside this network says nothing of the internet', async () => {
    const { server: own, ask } = await inside(false);
    const { data, findings, outcome } = conclude(await ask([own]));
    expect(outcome).toBe('complete');
    expect(data).toMatchObject({ type: 'unknown', mapping: 'unknown', filtering: 'unknown', public: null, table: [] });
    expect(kinds(findings)).toEqual(['server-inside']);
  });

  it('inside this network does not spoil what a public one says', async () => {
    const { lab, server: own, ask } = await inside(false);
    const { data, findings } = conclude(await ask([own, ...lab.servers]));
    expect(data).toMatchObject({ type: 'port-restricted-cone', public: '12.13.14.15:24604' });
    expect(kinds(findings)).toEqual(['server-inside']);
  });

  it('inside this network is measured against where that is asked for', async () => {
    const { server: own, ask } = await inside(true);
    const { data, findings } = conclude(await ask([own]));
    expect(data.mapping).toBe('none');
    expect(kinds(findings)).toContain('server-on-this-side');
  });

  it('is nothing to remark on the internet', async () => {
    expect(kinds((await measure({ nat: 'none' })).findings)).toEqual([]);
  });
});

describe('a server whose answers cannot be true', () => {
  const LIES: readonly ServerFault[] = ['lie-private', 'lie-cgn', 'lie-zero', 'lie-port', 'lie-family'];

  it.each(LIES)('%s: alone it proves nothing, beside others it changes nothing', async (fault) => {
    const alone = await measure({ nat: 'full-cone', servers: [server([fault])] });
    expect(alone.data).toMatchObject({ type: 'unknown', mapping: 'unknown', public: null });
    expect(kinds(alone.findings)).toContain('answer-doubted');
    for (const nat of NATS) {
      const honest = await measure({ nat, servers: [server([], 2)] });
      for (const servers of [
        [server([fault]), server([], 2)],
        [server([], 2), server([fault])],
      ]) {
        const { data, findings } = await measure({ nat, servers });
        expect(data, nat).toMatchObject({ type: honest.data.type, mapping: honest.data.mapping });
        expect(kinds(findings)).toContain('answer-doubted');
      }
    }
  });

  it('with another public address it is the odd one out, of plain servers too', async () => {
    for (const nat of NATS) {
      const plain = (number: number, ...faults: ServerFault[]) => server(['no-other-address', ...faults], number);
      for (const servers of [
        [plain(1, 'lie-public'), server([], 2)],
        [server([], 2), plain(1, 'lie-public')],
        [plain(1, 'lie-public'), plain(2), plain(3)],
        [server(['lie-public']), server([], 2), plain(3)],
      ]) {
        const result = await measure({ nat, servers });
        expect(contradictions(result.truth, result), nat).toEqual([]);
        // Plain servers cannot tell on what a symmetric NAT depends.
        if (result.truth.type === 'symmetric') expect(result.data.type, nat).toBe('symmetric');
        else expect(result.data.mapping, nat).toBe(result.truth.mapping);
        expect(kinds(result.findings), nat).toContain('server-odd');
        expect(result.data.public).not.toContain('66.77.88.99');
      }
    }
  });

  it('against one that knows as much, neither is believed, whichever comes first', async () => {
    for (const more of [['no-other-address'], []] as ServerFault[][]) {
      const two = [server(['lie-public', ...more]), server(more, 2)];
      for (const servers of [two, [...two].reverse()]) {
        const { data, findings } = await measure({ nat: 'port-restricted-cone', servers });
        // Where answers come from proves the type, whatever they say.
        const proven = more.length === 0 ? 'port-restricted-cone' : 'unknown';
        expect(data).toMatchObject({ type: proven, public: null });
        expect(kinds(findings)).toContain('servers-disagree');
      }
    }
  });

  it('in the form of a dual-stack socket is plainly right', async () => {
    const { data, findings } = await measure({ nat: 'port-restricted-cone', servers: [server(['lie-mapped'])] });
    expect(data).toMatchObject({ type: 'port-restricted-cone', public: '12.13.14.15:24604' });
    expect(kinds(findings)).toEqual([]);
  });

  it('because an ALG rewrites them is no open internet', async () => {
    const { data, findings } = await measure({ nat: 'full-cone,alg', servers: [server(['mapped-only'])] });
    expect(data).toMatchObject({ type: 'unknown', mapping: 'unknown' });
    expect(kinds(findings)).toContain('answer-doubted');
  });
});

describe('a NAT with several public addresses', () => {
  it.each(['full-cone,pool=2:arbitrary', 'symmetric,pool=2:arbitrary'])(
    '%s is told right or not at all',
    async (nat) => {
      for (let seed = 1; seed <= 100; seed++) {
        for (const servers of [[server([])], [server(['no-other-address']), server(['no-other-address'], 2)]]) {
          const result = await measure({ nat, seed, servers });
          expect(contradictions(result.truth, result), `seed ${seed}`).toEqual([]);
          expect(kinds(result.findings), `seed ${seed}`).not.toContain('server-odd');
        }
      }
    },
  );
});

describe('a server that is not found at the first try', () => {
  it('at another address of its name', async () => {
    const lab = new Lab({ nat: 'port-restricted-cone' });
    const dead = { address: '40.30.99.99', port: 3478 };
    const spares = new Map([['40.30.99.99:3478', lab.servers]]);
    const facts = await lab.run((env, signal) =>
      measureBehaviour(env, 4, { servers: [dead], spares, timeoutMs: 8000 }, signal),
    );
    const { data, findings, outcome } = conclude(facts);
    expect(outcome).toBe('complete');
    expect(data).toMatchObject({ type: 'port-restricted-cone', server: { address: '40.30.20.10:3478' } });
    expect(kinds(findings)).toEqual([]);
  });

  it('because it answers only requests with a CHANGE-REQUEST', async () => {
    for (const nat of NATS) {
      const result = await measure({ nat, servers: [server(['change-request-only'])] });
      expect(contradictions(result.truth, result), nat).toEqual([]);
      expect(result.data.mapping, nat).toBe(result.truth.mapping);
      expect(kinds(result.findings), nat).not.toContain('no-answer');
    }
  });

  it('as a whole, is told once', async () => {
    const { findings } = await measure({ nat: 'full-cone', servers: [server([], 1, { state: 'dead' })] });
    expect(findings).toHaveLength(1);
  });
});

describe('a server on one address', () => {
  const one: ServerSpec = { name: 'stun1.example.net', addresses: ['40.30.21.10'] };

  it('tells that a NAT goes by the port, and what it filters by', async () => {
    for (const nat of NATS) {
      const result = await measure({ nat, servers: [one] });
      expect(contradictions(result.truth, result), nat).toEqual([]);
      if (result.truth.mapping === 'address-and-port-dependent')
        expect(result.data, nat).toMatchObject({ type: 'symmetric', mapping: 'address-and-port-dependent' });
      if (result.truth.mapping === 'none') expect(result.data.mapping, nat).toBe('none');
    }
    const { findings } = await measure({ nat: 'port-restricted-cone', servers: [one] });
    expect(kinds(findings)).toContain('mapping-same-on-ports');
  });

  it('tells filtering by port', async () => {
    const { data } = await measure({ nat: 'port-restricted-cone', servers: [one] });
    expect(data.filtering).toBe('address-and-port-dependent');
  });
});

describe('sends that are refused', () => {
  it('every other one, cost nothing', async () => {
    for (const nat of NATS) {
      const lab = new Lab({ nat });
      let n = 0;
      const facts = await lab.run((env, signal) => {
        const udp = {
          ...env.udp,
          open: async (...args: Parameters<typeof env.udp.open>) => {
            const socket = await env.udp.open(...args);
            const send = socket.send.bind(socket);
            socket.send = (...sent) =>
              n++ % 2 === 0 ? Promise.reject(new NetError('denied', 'EPERM')) : send(...sent);
            return socket;
          },
        };
        return measureBehaviour({ ...env, udp }, 4, { servers: lab.servers, timeoutMs: 8000 }, signal);
      });
      const result = { ...conclude(facts), truth: lab.truth };
      expect(contradictions(lab.truth, result), nat).toEqual([]);
      expect(result.data.type, nat).toBe(lab.truth.type);
    }
  });
});

describe('a second address of the server that is reached by another route', () => {
  it.each(NATS.map((nat) => [nat]))('makes no type wrong: %s', async (nat) => {
    const found = await measure({ nat, rttMs: 40, splitRoute: { to: ['40.30.20.11'] } });
    expect(contradictions(found.truth, found)).toEqual([]);
    expect(kinds(found.findings)).toContain('paths-differ');
    expect(kinds(found.findings)).not.toContain('change-request-ignored');
    expect(kinds(found.findings)).not.toContain('address-pooling');
  });
});
