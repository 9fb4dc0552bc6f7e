/** Two hosts that meet by brokers alone, in the simulated network: the whole of `connect()`. */
import { describe, expect, it } from 'vitest';
import { deriveSecret } from '../../../src/connect/channel/keys.ts';
import { connect, type ConnectOptions } from '../../../src/connect/connect.ts';
import { parseBroker } from '../../../src/connect/signalling/broker-name.ts';
import { type BrokerManners, startBroker } from '../../../src/lab/broker.ts';
import { createLab, type LabOptions } from '../../../src/lab/topology.ts';

interface Scene {
  readonly lab?: LabOptions;
  /** One for each broker; undefined: its host is there, and nothing listens. */
  readonly brokers?: readonly (BrokerManners | undefined)[];
  readonly options?: Partial<ConnectOptions>;
  readonly secondAfterMs?: number;
  readonly meanwhile?: (lab: ReturnType<typeof createLab>) => void;
}

async function meet({ lab: more = {}, brokers = [{}], options = {}, secondAfterMs = 100, meanwhile }: Scene = {}) {
  const lab = createLab({
    nat: 'port-restricted-cone',
    second: { nat: 'port-restricted-cone' },
    servers: [{ name: 'stun.example.net', addresses: ['40.30.20.10', '40.30.20.11'] }],
    names: Object.fromEntries(brokers.map((_, i) => [`broker${i}.example.net`, [`80.70.60.${50 + i}`]])),
    patienceMs: 60_000,
    ...more,
  });
  const names = brokers.map((manners, i) => {
    const address = `80.70.60.${50 + i}`;
    lab.addHost(`M${i}`, [address]);
    lab.system(`M${i}`).tcp.certificates.add(`broker${i}.example.net`);
    if (manners) lab.serve(`M${i}`, (env) => startBroker(env, { address, port: 8883 }, manners));
    return parseBroker(`mqtts://broker${i}.example.net`);
  });
  const [server] = lab.servers;
  if (!server) throw new Error('no server');
  meanwhile?.(lab);
  return lab.run(async (env, signal) => {
    const secret = deriveSecret('a code');
    const common = { server, secret, waitMs: 60_000, stunOnly: true, brokers: { names }, signal, ...options };
    const second = async () => {
      await new Promise<void>((resolve) => void env.clock.after(secondAfterMs, resolve));
      const began = env.clock.now();
      const result = await connect(lab.host('C2'), common);
      return { ...result, tookMs: env.clock.now() - began };
    };
    const [a, b] = await Promise.all([connect(env, common), second()]);
    let said: string | undefined;
    if (a.kind === 'connected' && b.kind === 'connected') {
      const heard = new Promise<string>((resolve) =>
        b.connection.onData((data) => resolve(Buffer.from(data).toString())),
      );
      a.connection.send(Buffer.from('through the hole'));
      said = await heard;
    }
    for (const each of [a, b]) if (each.kind === 'connected') each.connection.close();
    const path = a.kind === 'connected' ? a.connection.path.kind : a.failure;
    return { a, b, said, path, tookMs: b.tookMs };
  });
}

describe('signalling over brokers', () => {
  it('connects two hosts that have no server in common', async () => {
    const { said, path, tookMs } = await meet();
    expect(said).toBe('through the hole');
    expect(path).toBe('direct');
    // TCP, the word and its answer by the broker, and the hole: 40 ms each.
    expect(tookMs).toBeLessThan(400);
  });

  it.each<[string, readonly (BrokerManners | undefined)[]]>([
    ['knows 3.1.1 alone', [{ old: true }]],
    ['drops every tenth message', [{ drops: 10 }]],
    ['drops every other message', [{ drops: 2 }]],
    ['says everything again', [{ replays: 5 }]],
    ['reorders', [{ reorders: true }]],
    ['floods the topic with noise and with what it has changed', [{ floods: 200 }]],
    ['replays, floods and drops', [{ replays: 20, floods: 50, drops: 10 }]],
    ['hangs up after three messages', [{ hangsUpAfter: 3 }]],
    ['is one of two, and the other is dead', [undefined, {}]],
    ['is one of two, and the other is deaf', [{ deaf: true }, {}]],
    ['is one of two, and the other refuses', [{ refuses: 135 }, {}]],
  ])('though the broker %s', async (_, brokers) => {
    const { said } = await meet({ brokers });
    expect(said).toBe('through the hole');
  });

  it('waits for the other one as long as it takes', async () => {
    const { said } = await meet({ secondAfterMs: 50_000 });
    expect(said).toBe('through the hole');
  });

  it('goes on where the broker vanishes and comes back before the other one is there', async () => {
    const { said } = await meet({
      secondAfterMs: 20_000,
      meanwhile: (lab) => {
        lab.world.schedule(3_000, () => (lab.system('M0').host.down = true));
        lab.world.schedule(9_000, () => (lab.system('M0').host.down = false));
      },
    });
    expect(said).toBe('through the hole');
  });

  it('goes on by the other one of two where a broker vanishes in the middle of the meeting', async () => {
    // One round trip after the second host has begun.
    for (const afterMs of [20, 60, 100, 140]) {
      const { said } = await meet({
        brokers: [{}, {}],
        secondAfterMs: 5_000,
        meanwhile: (lab) => lab.world.schedule(5_000 + afterMs, () => (lab.system('M0').host.down = true)),
      });
      expect(said).toBe('through the hole');
    }
  });

  it('says so where no broker lets it in, and ends', async () => {
    const { a } = await meet({ brokers: [{ refuses: 135 }, { deaf: true }] });
    expect(a).toMatchObject({ kind: 'failed', failure: { kind: 'signal', status: 'silent' } });
    const why = a.timeline.events.filter(({ event }) => event === 'broker').map((each) => each['why']);
    expect(why).toContain('the broker refuses (reason 135)');
  });

  it('meets by a rendezvous and a broker at once, whichever there is', async () => {
    const rendezvous = { stunOnly: false };
    expect((await meet({ options: rendezvous })).said).toBe('through the hole');
    expect((await meet({ options: rendezvous, brokers: [undefined] })).said).toBe('through the hole');
  });

  it('is not misled by somebody with another code on the same broker', async () => {
    const { said } = await meet({ brokers: [{ replays: 20 }] });
    expect(said).toBe('through the hole');
  });
});
