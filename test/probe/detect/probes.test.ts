/** What the tests of one measurement share: routes, sockets, and what all that was heard adds up to. */
import { describe, expect, it } from 'vitest';
import { type Endpoint, formatEndpoint } from '../../../src/net/address.ts';
import { NetError, type UdpOptions, type UdpSocket } from '../../../src/net/env.ts';
import { sleep } from '../../../src/net/wait.ts';
import { EMPTY_CHANGE, Probes, type ProbeSocket } from '../../../src/probe/detect/probes.ts';
import type { Purpose } from '../../../src/probe/detect/purpose.ts';
import { type Series, sendUntil } from '../../../src/probe/detect/series.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { World } from '../../../src/lab/world.ts';
import { type Arrived, CLIENT, ScriptedSocket, SERVER } from '../../stun/scripted.ts';

const forever = new AbortController().signal;
const never = () => false;
const ELSEWHERE: Endpoint = { address: '192.0.2.2', port: 3478 };
const THIRD: Endpoint = { address: '192.0.2.3', port: 3478 };
const ALLOCATION: Purpose = { kind: 'allocation' };
const FIRST: Purpose = { kind: 'mapping', number: 1 };

const seen = ({ request }: Arrived, mapped = CLIENT) =>
  encodeBinding('success', request.transactionId, [attribute('XOR-MAPPED-ADDRESS', mapped)]);

/** Sockets are bound to the wildcard; a connected one shows `routes`' address for its remote one, or is refused with that error. */
function stage(
  script: (arrived: Arrived) => void = () => {},
  {
    routes = {},
    source,
    ground,
  }: { routes?: Record<string, string | Error>; source?: string; ground?: { local: boolean } } = {},
) {
  const world = new World({ seed: 7 });
  const opened: { options: UdpOptions; socket: ScriptedSocket; closed: boolean }[] = [];
  const udp = {
    open: (options: UdpOptions): Promise<UdpSocket> => {
      const route = options.remote && (routes[options.remote.address] ?? new NetError('unreachable', 'no route'));
      if (route instanceof Error) return Promise.reject(route);
      const entry = { options, socket: new ScriptedSocket(world, script), closed: false };
      const local = { address: route ?? options.address ?? '0.0.0.0', port: options.port ?? 40_000 + opened.length };
      Object.assign(entry.socket, { local, close: () => (entry.closed = true) });
      opened.push(entry);
      return Promise.resolve(entry.socket);
    },
  };
  const clock = world.clock({ name: 'client', background: false });
  const tcp = { connect: () => Promise.reject(new NetError('refused', '')) };
  const env = { clock, random: world.random(''), udp, tcp } as unknown as ConstructorParameters<typeof Probes>[0];
  return { world, clock, opened, probes: new Probes(env, 4, source, ground) };
}

/** Runs a series on each of the sockets (one that is new when absent), one after the other, and closes. */
async function asked(
  on: ReturnType<typeof stage>,
  rows: readonly { purpose?: Purpose; to?: Endpoint; server?: Endpoint; gaps?: readonly number[]; socket?: number }[],
): Promise<{ series: Series[]; sockets: ProbeSocket[] }> {
  const sockets: ProbeSocket[] = [];
  const series: Series[] = [];
  await on.world.run(async () => {
    for (const { purpose = ALLOCATION, to = SERVER, server, gaps = [100], socket = sockets.length } of rows) {
      sockets[socket] ??= await on.probes.open(forever);
      const at = sockets[socket];
      const next = on.probes.begin(purpose, at, to, server && { server });
      series.push(next);
      await sendUntil(next, gaps, never, forever);
    }
    for (const each of series) each.end();
  });
  return { series, sockets };
}

describe('routes', () => {
  const routes = { [SERVER.address]: '10.0.0.1', [ELSEWHERE.address]: '10.9.9.9', [THIRD.address]: '10.0.0.1' };

  it('are asked for once each, and tell which address the sockets have', async () => {
    const { world, probes, opened } = stage(undefined, { routes });
    const local = await world.run(async () => {
      await probes.route([SERVER], forever);
      await probes.route([SERVER, ELSEWHERE], forever);
      const socket = await probes.open(forever);
      return [
        socket.local,
        probes.begin(ALLOCATION, socket, ELSEWHERE).local,
        probes.begin(FIRST, socket, THIRD).local,
      ];
    });
    expect(opened.filter(({ options }) => options.remote).map(({ options }) => options.remote?.address)).toEqual([
      SERVER.address,
      ELSEWHERE.address,
    ]);
    // Where no route is known, as to the first server.
    expect(local.map(({ address }) => address)).toEqual(['10.0.0.1', '10.9.9.9', '10.0.0.1']);
    probes.close();
  });

  it('the usual one is that of most servers, of as many the first', async () => {
    const { world, probes } = stage(undefined, { routes });
    await world.run(() => probes.route([ELSEWHERE, SERVER, THIRD], forever));
    expect(probes.usualRoute([ELSEWHERE, SERVER, THIRD])).toBe('10.0.0.1');
    expect(probes.usualRoute([ELSEWHERE, SERVER])).toBe('10.9.9.9');
    expect(probes.usualRoute([SERVER, ELSEWHERE])).toBe('10.0.0.1');
    expect(probes.usualRoute([{ address: '192.0.2.77', port: 1 }])).toBeUndefined();
    expect(probes.usualRoute([{ address: '192.0.2.77', port: 1 }, ELSEWHERE])).toBe('10.9.9.9');
  });

  it('some may lack, but not all', async () => {
    const some = stage(undefined, { routes: { [ELSEWHERE.address]: '10.9.9.9' } });
    await some.world.run(() => some.probes.route([SERVER, ELSEWHERE], forever));
    expect(some.probes.usualRoute([SERVER, ELSEWHERE])).toBe('10.9.9.9');
    const none = stage();
    await expect(none.world.run(() => none.probes.route([SERVER, ELSEWHERE], forever))).rejects.toThrow('no route');
  });

  it('a bug is no missing route, nor is an interruption', async () => {
    const known = { [ELSEWHERE.address]: '10.9.9.9' };
    const bug = stage(undefined, { routes: { ...known, [SERVER.address]: new TypeError('bug') } });
    await expect(bug.world.run(() => bug.probes.route([ELSEWHERE, SERVER], forever))).rejects.toThrow('bug');
    const over = stage(undefined, { routes: known });
    await expect(over.world.run(() => over.probes.route([ELSEWHERE, SERVER], AbortSignal.abort()))).rejects.toThrow();
  });
});

describe('sockets', () => {
  it('that were prepared are used up first, one for each group; a port or a remote end of its own needs another', async () => {
    const { world, probes, opened } = stage(undefined, { routes: { [SERVER.address]: '10.0.0.1' } });
    await world.run(async () => {
      await probes.prepare(2, forever);
      expect(opened).toHaveLength(2);
      const special = [await probes.open(forever, { port: 9 }), await probes.open(forever, { remote: SERVER })];
      expect(opened.map(({ options: { port, remote } }) => [port, remote])).toEqual([
        [undefined, undefined],
        [undefined, undefined],
        [9, undefined],
        [undefined, SERVER],
      ]);
      const plain = [await probes.open(forever), await probes.open(forever), await probes.open(forever)];
      expect(plain.map(({ mux }) => opened.findIndex(({ socket }) => socket === mux.socket))).toEqual([0, 1, 4]);
      expect(special.map(({ mux }) => opened.findIndex(({ socket }) => socket === mux.socket))).toEqual([2, 3]);
    });
    expect(opened.some(({ closed }) => closed)).toBe(false);
    probes.close();
    expect(opened.every(({ closed }) => closed)).toBe(true);
  });

  it('are bound to the source that was asked for', async () => {
    const { world, probes, opened } = stage(undefined, { source: '10.0.0.7' });
    const { local } = await world.run(() => probes.open(forever));
    expect([opened[0]?.options.address, local.address]).toEqual(['10.0.0.7', '10.0.0.7']);
    probes.close();
  });

  it('keep what nobody waits for, but no request', async () => {
    const on = stage((arrived) => {
      arrived.reply(Uint8Array.of(0x7f, 1, 2), 5, ELSEWHERE);
      arrived.reply(encodeBinding('success', new Uint8Array(12).fill(9)), 6, ELSEWHERE);
      arrived.reply(encodeBinding('request', new Uint8Array(12).fill(9)), 7, ELSEWHERE);
    });
    await asked(on, [{}]);
    expect(on.probes.strays).toEqual([
      { from: ELSEWHERE, wasStun: false },
      { from: ELSEWHERE, wasStun: true },
    ]);
  });
});

describe('a server that answers requests with CHANGE-REQUEST alone', () => {
  const old = (arrived: Arrived) =>
    arrived.request.attributes.some(({ name }) => name === 'CHANGE-REQUEST') && arrived.reply(seen(arrived));

  /** As the search begins with it: bare, then with the attribute. */
  async function both(script: (arrived: Arrived) => void, first: Purpose, next: Endpoint, attributes = EMPTY_CHANGE) {
    const { world, probes } = stage(script);
    return world.run(async () => {
      const socket = await probes.open(forever);
      await sendUntil(probes.begin(first, socket, SERVER), [50], never, forever);
      await sendUntil(probes.begin(first, socket, SERVER, { attributes }), [50], never, forever);
      const later = probes.begin(ALLOCATION, socket, next, { server: SERVER });
      const own = probes.begin(ALLOCATION, socket, next, { server: SERVER, attributes: [...EMPTY_CHANGE] });
      const other = probes.begin(ALLOCATION, socket, ELSEWHERE);
      probes.close();
      return [later, own, other].map(({ hasChange }) => hasChange);
    });
  }

  it('is asked so from then on, at all its endpoints, and no other server is', async () => {
    expect(await both(old, FIRST, { ...SERVER, port: 9 })).toEqual([true, true, false]);
  });

  it('is not known by tests of another kind', async () => {
    expect((await both(old, ALLOCATION, SERVER))[0]).toBe(false);
  });

  it('is none where it answers plain requests too, or neither', async () => {
    expect((await both((arrived) => arrived.reply(seen(arrived)), FIRST, SERVER))[0]).toBe(false);
    expect((await both(() => {}, FIRST, SERVER))[0]).toBe(false);
  });
});

describe('what servers say', () => {
  it('is news once, and what cannot be true is doubted', async () => {
    const on = stage((arrived) =>
      arrived.reply(seen(arrived, arrived.to.port === 1 ? { address: '10.1.1.1', port: 7 } : CLIENT)),
    );
    const lie = { ...ELSEWHERE, port: 1 };
    const { series, sockets } = await asked(on, [
      { socket: 0 },
      { socket: 0 },
      { to: lie, socket: 0 },
      { to: ELSEWHERE, socket: 1 },
    ]);
    expect(on.probes.observations().map(({ remote }) => remote)).toEqual([SERVER, ELSEWHERE]);
    expect(on.probes.observations(sockets[1]).map(({ remote }) => remote)).toEqual([ELSEWHERE]);
    expect(on.probes.doubted().map(({ sighting, doubt }) => [sighting.remote, doubt])).toEqual([[lie, 'not-public']]);
    expect(series.map((each) => on.probes.believes(each))).toEqual([true, true, false, true]);
    on.probes.refuted.add(formatEndpoint(SERVER));
    expect(on.probes.believes(series[0] as Series)).toBe(false);
    expect(on.probes.doubted().map(({ doubt }) => doubt)).toEqual(['not-there', 'not-public']);
  });

  it('is not believed where nothing was said', async () => {
    const on = stage();
    const { series } = await asked(on, [{}]);
    expect(on.probes.believes(series[0] as Series)).toBe(false);
  });

  describe('once more on the same flow', () => {
    const wavering = () => {
      let count = 0;
      return (arrived: Arrived) =>
        arrived.reply(seen(arrived, arrived.to.address === SERVER.address ? { ...CLIENT, port: 9 + ++count } : CLIENT));
    };
    const doubts = async (purpose: Purpose, socket: number) => {
      const on = stage(wavering());
      await asked(on, [
        { purpose: FIRST, socket: 0 },
        { purpose, socket },
        { to: ELSEWHERE, socket: 0 },
      ]);
      return on.probes.doubted().map(({ doubt, sighting }) => [doubt, sighting.server]);
    };

    it('must be the same, or the server is no witness', async () => {
      expect(await doubts({ kind: 'again' }, 0)).toEqual([
        ['wavers', '192.0.2.1:3478'],
        ['wavers', '192.0.2.1:3478'],
      ]);
    });

    it('must be the same whatever it was asked for', async () => {
      expect(await doubts(FIRST, 0)).toContainEqual(['wavers', '192.0.2.1:3478']);
    });

    it('may differ on another socket', async () => {
      expect(await doubts({ kind: 'again' }, 1)).toEqual([]);
    });
  });
});

describe('times and losses', () => {
  /** Each to its delay, ms; 0: never. */
  const delayed = (delays: readonly number[]) => {
    let next = 0;
    return (arrived: Arrived) => {
      const delay = delays[next++];
      if (delay) arrived.reply(seen(arrived), delay);
    };
  };

  it('are nothing before an answer', async () => {
    const on = stage();
    await asked(on, [{ gaps: [10, 10] }]);
    expect([on.probes.roundTripMs(), on.probes.spreadMs(), on.probes.tally()]).toEqual([
      0,
      0,
      { sent: 0, received: 0 },
    ]);
  });

  it('the round trip is the longest that is sure, and the surest bound of what is not', async () => {
    const sure = stage(delayed([30, 70]));
    await asked(sure, [{}, {}]);
    expect([sure.probes.roundTripMs(), sure.probes.spreadMs()]).toEqual([70, 40]);
    // Answered after 110 ms to one of two sends: by itself 110 or 10; 60 by another series.
    const unsure = stage(delayed([0, 10, 60]));
    await asked(unsure, [{ gaps: [100, 100] }, {}]);
    expect([unsure.probes.roundTripMs(), unsure.probes.spreadMs()]).toEqual([60, 0]);
    const alone = stage(delayed([0, 10]));
    await asked(alone, [{ gaps: [100, 100] }]);
    expect(alone.probes.roundTripMs()).toBe(110);
  });

  it('what may stay silent for other reasons tells nothing of either', async () => {
    const on = stage(delayed([200]));
    await asked(on, [{ purpose: { kind: 'filtering', change: { ip: true, port: true } }, gaps: [300] }]);
    expect([on.probes.roundTripMs(), on.probes.tally()]).toEqual([0, { sent: 0, received: 0 }]);
  });

  it('the spread is of answers to a single send alone', async () => {
    const on = stage(delayed([30, 30, 50, 90, 90]));
    await asked(on, [{}, { gaps: [10, 100] }, { gaps: [100] }]);
    // The second series sent twice; 30 and 90 are exact.
    expect(on.probes.spreadMs()).toBe(60);
  });

  it('a loss is what a working path leaves unanswered, once it is due', async () => {
    // 20 ms of round trip: what was sent less than 25 + 50 ms ago may still come.
    const counted = async (lastGap: number) => {
      const on = stage(delayed([20, 20, 0]));
      await asked(on, [{ gaps: [100, 100, lastGap] }]);
      return on.probes.tally();
    };
    expect(await counted(74)).toEqual({ sent: 0, received: 0 });
    expect(await counted(75)).toEqual({ sent: 3, received: 2 });
  });

  it('what was answered twice counts once for each send', async () => {
    const on = stage((arrived) => {
      arrived.reply(seen(arrived), 10);
      arrived.reply(seen(arrived), 20);
    });
    await asked(on, [{ gaps: [200] }]);
    expect(on.probes.tally()).toEqual({ sent: 1, received: 1 });
  });

  it('stand still when it is closed', async () => {
    const on = stage(delayed([20]));
    await on.world.run(async () => {
      const series = on.probes.begin(ALLOCATION, await on.probes.open(forever), SERVER);
      await sendUntil(series, [40], never, forever);
      on.probes.close();
      await sleep(on.clock, 500, forever);
      on.probes.close();
    });
    expect(on.probes.tally()).toEqual({ sent: 0, received: 0 });
  });
});
