import { describe, expect, it } from 'vitest';
import { createLab, type LabOptions } from '../../../src/lab/topology.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import { NetError, type UdpSocket } from '../../../src/net/env.ts';
import { WELL_KNOWN } from '../../../src/net/nat64.ts';
import { scope, sleep } from '../../../src/net/wait.ts';
import { searchServers, turnsOf, usableOther, watchRefusal } from '../../../src/probe/detect/search.ts';
import type { Series } from '../../../src/probe/detect/series.ts';
import { Probes } from '../../../src/probe/detect/probes.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { type Decoded, decode, get } from '../../../src/stun/message.ts';
import { success } from '../scripted-server.ts';
import { A, at, B, C, MAPPING, PUBLIC, saw, Story } from './story.ts';

/** What a server answers, and how much later than the path takes, ms; undefined: nothing. */
type Script = (request: Decoded, from: Endpoint) => { bytes: Uint8Array; lateMs?: number } | undefined;

const plain: Script = (request, from) => ({ bytes: success(request, from) });
const late = (lateMs: number, script: Script = plain): Script => {
  return (request, from) => {
    const said = script(request, from);
    return said && { ...said, lateMs };
  };
};
const capable: Script = (request, from) => ({
  bytes: success(request, from, attribute('OTHER-ADDRESS', at('51.0.0.99', 3479))),
});
const silent: Script = () => undefined;
const failing: Script = ({ transactionId }) => ({
  bytes: encodeBinding('error', transactionId, [attribute('ERROR-CODE', { code: 500, reason: '' })]),
});

/** Searches among servers with these scripts, in the order of the entries; further addresses of the first one may be told. */
async function search(
  scripts: ReadonlyMap<Endpoint, Script>,
  spares: readonly Endpoint[] = [],
  {
    lingerMs = 0,
    overTcp = false,
    ...options
  }: LabOptions & {
    /** How long it goes on in the background. */
    lingerMs?: number;
    overTcp?: boolean;
  } = {},
) {
  const lab = createLab(options);
  const heard: { to: string; at: number; change: boolean }[] = [];
  let i = 0;
  for (const [server, script] of scripts) {
    const name = `S${i++}`;
    lab.addHost(name, [server.address]);
    if (overTcp)
      lab.serve(name, (host) =>
        host.tcp.listen(server, async (stream) => {
          for await (const chunk of stream) await stream.write(success(decode(chunk), PUBLIC));
          stream.close();
        }),
      );
    lab.serve(name, async (host) => {
      const socket = await host.udp.open({ family: 4, ...server });
      socket.listen({
        datagram: ({ data, from }) => {
          const request = decode(data);
          heard.push({ to: server.address, at: lab.world.now, change: get(request, 'CHANGE-REQUEST') !== undefined });
          const said = script(request, from);
          if (said) lab.world.schedule(said.lateMs ?? 0, () => void socket.send(said.bytes, from));
        },
      });
    });
  }
  const servers = [...scripts.keys()].filter((each) => !spares.includes(each));
  return lab.run(async (env, signal) => {
    const probes = new Probes(env, 4, undefined);
    await probes.route(servers, signal);
    const story = new Story(servers);
    const facts = { ...story.facts, probes };
    const x = await probes.open(signal);
    const turns = servers.map((server, n) => turnsOf(probes, x, server, n === 0 ? spares : []));
    const bounds = scope(env.clock, signal);
    const found = await searchServers(facts, turns, undefined, bounds.signal);
    const tookMs = lab.world.now;
    await sleep(env.clock, lingerMs, signal);
    bounds.abort();
    probes.close();
    return { found: found.map(({ to }) => to.address), tookMs, heard, tcp: facts.tcp, first: found[0] as Series };
  });
}

describe('the search for servers', () => {
  it('ends soon with one that can test filtering, though others are slower', async () => {
    const { found, tookMs, tcp } = await search(
      new Map([
        [A, late(2000)],
        [B, capable],
      ]),
    );
    expect(found).toEqual(['51.0.0.2']);
    expect(tookMs).toBeLessThan(100);
    expect(tcp).toEqual([]);
  });

  it('waits a little for a better one, and longer for a second address where none is capable', async () => {
    const grace = await search(
      new Map([
        [A, plain],
        [B, late(50, capable)],
      ]),
    );
    expect(grace.found).toEqual(['51.0.0.1', '51.0.0.2']);
    const second = await search(
      new Map([
        [A, plain],
        [B, late(400)],
        [C, silent],
      ]),
    );
    expect(second.found).toEqual(['51.0.0.1', '51.0.0.2']);
    expect(second.tookMs).toBeLessThan(500);
    const alone = await search(
      new Map([
        [A, plain],
        [B, late(1500)],
      ]),
    );
    expect(alone.found).toEqual(['51.0.0.1']);
    expect(alone.tookMs).toBeGreaterThan(500);
    expect(alone.tookMs).toBeLessThan(1000);
  });

  it('takes what is better before it counts addresses', async () => {
    const scripts = new Map([
      [A, plain],
      [B, late(70, capable)],
      [C, plain],
    ]);
    expect((await search(scripts)).found).toEqual(['51.0.0.1', '51.0.0.2', '51.0.0.3']);
  });

  it('takes no server by another route for a better one, nor for a second address', async () => {
    for (const script of [capable, plain]) {
      const { found, tookMs } = await search(
        new Map([
          [A, plain],
          [B, script],
          [C, late(450, capable)],
        ]),
        [],
        { splitRoute: { to: [B.address] } },
      );
      expect(found).toEqual(['51.0.0.1', '51.0.0.2', '51.0.0.3']);
      expect(tookMs).toBe(490);
    }
  });

  it('asks nobody again who has answered, nor further addresses of its name', async () => {
    const { heard, first } = await search(
      new Map([
        [A, plain],
        [B, late(400)],
        [C, plain],
      ]),
      [C],
      { lingerMs: 2000 },
    );
    expect(heard.filter(({ to }) => to === '51.0.0.1')).toHaveLength(1);
    // At once: nothing more is to be expected of the first.
    expect((heard.find(({ to }) => to === '51.0.0.3')?.at ?? 0) - (heard[0]?.at ?? 0)).toBeLessThan(100);
    expect(heard.filter(({ to }) => to === '51.0.0.3')).toEqual([]);
    expect(first.purpose).toEqual({ kind: 'mapping', number: 1 });
  });

  it('ends sooner where TCP shows that UDP is blocked', async () => {
    const { found, tookMs, tcp, heard } = await search(
      new Map([
        [A, silent],
        [B, silent],
      ]),
      [],
      { overTcp: true },
    );
    expect(found).toEqual([]);
    expect(tcp.map(({ outcome }) => outcome)).toEqual(['answered', 'answered']);
    for (const server of ['51.0.0.1', '51.0.0.2'])
      expect(heard.filter(({ to, change }) => to === server && !change).length).toBeGreaterThanOrEqual(9);
    // A server whose answers take 2 s is not one that is blocked.
    expect(tookMs).toBeGreaterThanOrEqual(2200);
    expect(tookMs).toBeLessThan(3000);
  });

  it('needs no control over TCP where anybody said anything', async () => {
    const { tcp } = await search(
      new Map([
        [A, failing],
        [B, silent],
      ]),
    );
    expect(tcp).toEqual([]);
  });

  it('does not wait at all where nobody is left to be waited for', async () => {
    const { found, tookMs } = await search(new Map([[A, plain]]));
    expect(found).toEqual(['51.0.0.1']);
    expect(tookMs).toBeLessThan(60);
  });

  it('finds nobody where all are silent, and has asked them over TCP by then', async () => {
    const servers = [A, B, C, at('51.0.0.4')];
    const { found, tookMs, tcp, heard } = await search(new Map(servers.map((each) => [each, silent])));
    expect(found).toEqual([]);
    expect(tcp.map(({ server, outcome }) => [server.address, outcome])).toEqual(
      ['51.0.0.1', '51.0.0.2', '51.0.0.3', '51.0.0.4'].map((address) => [address, 'refused']),
    );
    expect(tookMs).toBeGreaterThanOrEqual(3300);
    expect(heard.filter(({ to, change }) => to === '51.0.0.4' && !change)).toHaveLength(14);
  });

  it('takes an error for an answer that needs no control, and no second asking', async () => {
    const { found, tcp, heard } = await search(new Map([[A, failing]]));
    expect(found).toEqual([]);
    expect(tcp).toEqual([]);
    expect(heard).toHaveLength(1);
  });

  it('asks a silent server as RFC 3489 has it, and then its further addresses, each in its turn', async () => {
    const asked = await search(
      new Map([
        [A, silent],
        [C, plain],
      ]),
      [C],
    );
    expect(asked.found).toEqual(['51.0.0.3']);
    expect(asked.first.server).toEqual(A);
    const first = (is: (each: (typeof asked.heard)[0]) => boolean) => asked.heard.find(is)?.at ?? -1;
    const turns = [
      first(({ to, change }) => to === '51.0.0.1' && !change),
      first(({ change }) => change),
      first(({ to }) => to === '51.0.0.3'),
    ];
    expect(turns.map((each) => each - (turns[0] as number))).toEqual([0, 250, 500]);
    const old: Script = (request, from) => (get(request, 'CHANGE-REQUEST') ? plain(request, from) : undefined);
    const { found, heard } = await search(
      new Map([
        [A, old],
        [C, plain],
      ]),
      [C],
    );
    expect(found).toEqual(['51.0.0.1']);
    expect(heard.some(({ to }) => to === '51.0.0.3')).toBe(false);
  });

  it('asks a further address where the first one says something useless, and that one not again', async () => {
    const { found, heard } = await search(
      new Map([
        [A, failing],
        [C, plain],
      ]),
      [C],
    );
    expect(found).toEqual(['51.0.0.3']);
    expect(heard.filter(({ to }) => to === '51.0.0.1')).toHaveLength(1);
  });
});

describe('the watch for a refusal', () => {
  const watched = async (open: () => Promise<UdpSocket>, signal = new AbortController().signal) => {
    const { probes, x } = new Story([A]);
    const binding = probes.begin(MAPPING, x, A);
    (probes.env.udp as { open: unknown }).open = open;
    await watchRefusal(probes, binding, signal);
    return binding.failure;
  };

  it('tells the binding what kept its socket from being opened', async () => {
    const refused = new NetError('refused', '');
    expect(await watched(() => Promise.reject(refused))).toBe(refused);
  });

  it('ends quietly with its signal, and hides no bug', async () => {
    const bug = () => Promise.reject(new TypeError('a bug'));
    expect(await watched(bug, AbortSignal.abort())).toBeUndefined();
    await expect(watched(bug)).rejects.toThrow('a bug');
  });
});

describe('another address behind a NAT64', () => {
  const server = at('64:ff9b::3300:1');
  const other = (address: string) => {
    const answer = saw(PUBLIC, attribute('OTHER-ADDRESS', at(address, 3479)));
    return new Story([server]).ask(MAPPING, server, [answer]);
  };

  it('is reached under the server’s own prefix', () => {
    expect(usableOther(other('51.0.0.2'), { nat64: [WELL_KNOWN] })).toEqual(at('64:ff9b::3300:2', 3479));
    expect(usableOther(other('51.0.0.2'))).toBeUndefined();
    expect(usableOther(other('2001:db8::2'), { nat64: [WELL_KNOWN] })).toEqual(at('2001:db8::2', 3479));
  });
});
