import { describe, expect, it } from 'vitest';
import { Opener } from '../../src/connect/channel/envelope.ts';
import { OwnSide } from '../../src/connect/own-side.ts';
import { decodeDescription, type Description } from '../../src/connect/signalling/description.ts';
import type { Signalling } from '../../src/connect/signalling/signalling.ts';
import { gather } from '../../src/connect/traversal/gather.ts';
import { createLab } from '../../src/lab/topology.ts';
import { sleep, Waits } from '../../src/net/wait.ts';
import type { Endpoint } from '../../src/net/address.ts';

const KEY = new Uint8Array(32).fill(7);

interface Course {
  readonly trusted: boolean;
  readonly seen?: Endpoint;
  readonly forMs?: number;
}

/** What the peer is told, and what the timeline says. */
const course = ({ trusted, seen, forMs = 5_000 }: Course) => {
  const lab = createLab({ nat: 'port-restricted-cone,ports=preserving' });
  const server = lab.servers[0] as Endpoint;
  return lab.run(async (env, signal) => {
    const waits = new Waits(signal);
    const gathered = await gather(env, { family: 4, server, heard: () => {} }, waits);
    const opener = new Opener(KEY);
    const told: Description[] = [];
    const notes: string[] = [];
    let measured = 0;
    const own = new OwnSide({
      env,
      gathered,
      waits,
      server,
      beside: undefined,
      credentials: undefined,
      trusted,
      key: KEY,
      measured: () => measured++,
      late: ({ id }) => notes.push(`late ${id}`),
      note: (event, { type }) => notes.push(type === undefined ? event : `${event} ${String(type)}`),
    });
    const publish = (payload: Uint8Array) =>
      told.push(decodeDescription(opener.open(payload)?.body ?? new Uint8Array()) as Description);
    const running = own.begin({ publish } as unknown as Signalling);
    await sleep(env.clock, 40);
    const before = told.length;
    const mapped = seen ?? { address: '12.13.14.15', port: gathered.main.local.port };
    const believed = own.observed({ mapped, alternates: [{ address: '40.30.20.11', port: 3479 }], rttMs: 40 });
    const toldAtOnce = told.length - before;
    await sleep(env.clock, forMs);
    waits.end();
    gathered.sockets.closeAll();
    if (measured < 2) running.catch(() => {});
    else await running;
    return { told, notes, measured, believed, toldAtOnce, rttMs: own.rttMs, late: own.description.current.late };
  });
};

describe('this side', () => {
  it('tells what it has at once, and its profile as far as it is known, and then whole', async () => {
    const { told, notes, measured, believed, rttMs } = await course({ trusted: true });
    expect(told[0]).toMatchObject({ hosts: [{ address: '192.168.1.3' }], reflexive: [], profile: undefined });
    expect(told.map(({ profile }) => profile?.complete).filter((each) => each !== undefined)).toEqual([false, true]);
    expect(told.at(-1)?.profile).toMatchObject({
      mapping: 'endpoint-independent',
      filtering: 'address-and-port-dependent',
    });
    expect([measured, believed, rttMs]).toEqual([2, true, 40]);
    expect(notes.filter((each) => /candidate|measured/.test(each))).toEqual([
      'candidate host',
      'candidate srflx',
      'measured',
      'measured',
    ]);
    expect(notes).toContainEqual(expect.stringMatching(/^late \d+$/));
  });

  it('leaves it to a server of ours to say where it sees us, and says so itself by any other', async () => {
    expect((await course({ trusted: true, forMs: 10 })).toldAtOnce).toBe(0);
    const { toldAtOnce, told } = await course({ trusted: false, forMs: 10 });
    expect([toldAtOnce, told.at(-1)?.reflexive.length]).toEqual([1, 1]);
  });

  it('tells its clock only where the news is not carried by hand', async () => {
    expect((await course({ trusted: true, forMs: 10 })).told[0]?.clocks).toBeDefined();
    expect((await course({ trusted: false, forMs: 10 })).told[0]?.clocks).toBeUndefined();
  });

  it('believes nothing that cannot be true, and measures on by what is left', async () => {
    const { told, notes, believed } = await course({ trusted: false, seen: { address: '10.0.0.7', port: 31_234 } });
    expect([believed, told.at(-1)?.reflexive, notes.includes('candidate srflx')]).toEqual([false, [], false]);
    expect(notes).toContain('doubted');
    expect(told.at(-1)?.profile?.mapping).not.toBe('address-and-port-dependent');
  });

  it('is cut short without a word', async () => {
    const { measured, told } = await course({ trusted: true, forMs: 1 });
    expect([measured, told.length]).toEqual([0, expect.any(Number)]);
  });
});
