/** Two hosts with one address each, which `serve` for each other: to clients they are one RFC 5780 server. */
import { describe, expect, it } from 'vitest';
import { Lab, type LabOptions } from '../../../src/lab/topology.ts';
import type { Env } from '../../../src/net/env.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { decode, transactionKey } from '../../../src/stun/message.ts';
import { interruptible, play, run, tell, type Told } from '../worlds.ts';

const X = '40.30.20.60';
const Y = '60.50.40.31';
const SECRET = { NAT_TOOL_PARTNER_SECRET: 'a secret of the two' };

interface World extends LabOptions {
  /** Between the two, one way. */
  readonly partnerLoss?: number;
  readonly partnerDelayMs?: number;
  readonly words?: { readonly x?: readonly string[]; readonly y?: readonly string[] };
  readonly secretOfY?: string;
}

async function partners<T>(
  { partnerLoss = 0, partnerDelayMs = 20, words = {}, secretOfY, ...options }: World,
  client: (on: (host: string) => Env, later: (ms: number) => Promise<void>, stopY: () => void, lab: Lab) => Promise<T>,
): Promise<{ readonly x: Told; readonly y: Told; readonly found: T }> {
  const lab = new Lab({ second: { nat: 'port-restricted-cone' }, ...options });
  lab.addHost('X', [X]);
  lab.addHost('Y', [Y]);
  const both = new Set([X, Y]);
  lab.internet.particular = ({ src, dst }) =>
    both.has(src.address) && both.has(dst.address) ? { loss: partnerLoss, delayMs: partnerDelayMs } : undefined;
  const [stopX, stopY] = [interruptible(), interruptible()];
  return play(lab, async (on, later) => {
    const serve = (host: string, other: string, more: readonly string[] = [], secret = SECRET) =>
      tell(on(host), ['serve', '-4', '--partner', other, ...more], {
        signal: (host === 'X' ? stopX : stopY).signal,
        environment: secret,
      });
    const x = serve('X', Y, words.x);
    const y = serve('Y', X, words.y, secretOfY ? { NAT_TOOL_PARTNER_SECRET: secretOfY } : SECRET);
    await later(1500);
    const found = await client(on, later, stopY.interrupt, lab);
    stopX.interrupt();
    stopY.interrupt();
    return { x: await x, y: await y, found };
  });
}

const news = ({ events }: Told) =>
  events.filter(({ event }) => event === 'partner').map(({ state, other }) => [state, other]);
const detected = async (env: Env, server = X) => {
  const { report } = await tell(env, ['detect', server]);
  const { type, mapping, filtering, server: asked } = report.data as Record<string, unknown>;
  return { type, mapping, filtering, asked };
};

const NATS = ['full-cone', 'restricted-cone', 'port-restricted-cone', 'symmetric', 'firewall', 'none'];
const TYPES: Readonly<Record<string, string>> = { none: 'open-internet', firewall: 'udp-firewall' };

describe('two partners', () => {
  it.each(NATS.flatMap((nat) => [0, 0.05].map((loss) => [nat, loss] as const)))(
    'tell %s what it is, at a loss of %d between them',
    async (nat, partnerLoss) => {
      for (const server of [X, Y]) {
        const { found, x } = await partners({ nat, partnerLoss, seed: `${nat} ${server}` }, (on) =>
          detected(on('A'), server),
        );
        expect(found).toMatchObject({
          type: TYPES[nat] ?? nat,
          asked: { address: `${server}:3478`, alternate: `${server === X ? Y : X}:3479` },
        });
        expect(news(x)).toEqual([['up', `${Y}:3479`]]);
        expect(x.report.data).toMatchObject({ rfc5780: true });
      }
    },
  );

  it('are proven one by stun --vet', async () => {
    const { found } = await partners({ partnerLoss: 0.05 }, (on) => tell(on('A'), ['stun', '--vet', Y]));
    expect(found.report.data).toMatchObject({ results: [{ other: `${X}:3479`, vetting: { rfc5780: 'yes' } }] });
  });

  it('give an answer from the other address once, whatever is lost between them', async () => {
    const { x, y, found } = await partners({ nat: 'none', partnerLoss: 0.3 }, async (on, later) => {
      const socket = await on('A').udp.open({ family: 4 });
      const heard = new Map<string, string[]>();
      socket.listen({
        datagram: ({ data, from }) => {
          const id = transactionKey(decode(data).transactionId);
          heard.set(id, [...(heard.get(id) ?? []), from.address]);
        },
      });
      const change = [attribute('CHANGE-REQUEST', { ip: true, port: true })];
      for (let i = 0; i < 100; i++) {
        await socket.send(encodeBinding('request', Uint8Array.of(...Array(11).fill(0), i), change), {
          address: X,
          port: 3478,
        });
        await later(20);
      }
      await later(1000);
      socket.close();
      return [...heard.values()];
    });
    // Five sends, each lost at 30 %, fail once in 400 times.
    expect(found.length).toBeGreaterThan(97);
    expect(found.every((from) => from.join() === Y)).toBe(true);
    const [sent, got] = [x, y].map(({ report }) => (report.data as { partner: Record<string, number> }).partner);
    expect(sent?.['resent']).toBeGreaterThan(0);
    expect(got?.['delivered']).toBe(found.length);
  });

  it('find out their public addresses from each other behind 1:1 NATs', async () => {
    const lab = new Lab({ nat: 'restricted-cone' });
    lab.addHost('X', ['10.0.0.5'], { outside: [X] });
    lab.addHost('Y', ['10.0.0.6'], { outside: [Y] });
    const { signal, interrupt } = interruptible();
    const found = await play(lab, async (on, later) => {
      const serve = (host: string, other: string) =>
        tell(on(host), ['serve', '-4', '--partner', other], { signal, environment: SECRET });
      const both = [serve('X', Y), serve('Y', X)];
      await later(5000);
      const answer = await detected(on('A'));
      interrupt();
      await Promise.all(both);
      return answer;
    });
    expect(found).toMatchObject({ type: 'restricted-cone', asked: { address: `${X}:3478`, alternate: `${Y}:3479` } });
  });

  it('tell no other address when one goes, and again when it is back', async () => {
    const { x, found } = await partners({ nat: 'port-restricted-cone' }, async (on, later, stopY) => {
      const before = await detected(on('A'));
      stopY();
      await later(4000);
      const without = await detected(on('A'));
      const again = interruptible();
      const y = tell(on('Y'), ['serve', '-4', '--partner', X], { signal: again.signal, environment: SECRET });
      await later(4000);
      const after = await detected(on('A'));
      again.interrupt();
      await y;
      return [before, without, after].map(({ type, asked }) => [type, (asked as { alternate: unknown }).alternate]);
    });
    expect(found).toEqual([
      ['port-restricted-cone', `${Y}:3479`],
      ['unknown', null],
      ['port-restricted-cone', `${Y}:3479`],
    ]);
    expect(news(x)).toEqual([
      ['up', `${Y}:3479`],
      ['away', null],
      ['up', `${Y}:3479`],
    ]);
  });

  it.each(['full-cone', 'restricted-cone', 'port-restricted-cone', 'symmetric'])(
    'give no wrong word of %s in the seconds before it is noticed that one is gone',
    async (nat) => {
      for (let seed = 0; seed < 5; seed++) {
        const { found } = await partners({ nat, seed }, async (on, later, _, lab) => {
          await later(seed * 130);
          lab.system('Y').host.down = true;
          return detected(on('A'));
        });
        expect([nat, 'unknown']).toContain(found.type);
      }
    },
  );

  it('are none where the secrets differ, the way is too long, or the ports differ', async () => {
    const worlds: World[] = [
      { secretOfY: 'another secret than that' },
      { partnerDelayMs: 200 },
      { words: { y: ['--alternate-port', '3500'] } },
    ];
    for (const world of worlds) {
      const { found, x } = await partners({ nat: 'full-cone', ...world }, (on) => detected(on('A')));
      expect(found).toMatchObject({ filtering: expect.not.stringMatching('^endpoint'), asked: { alternate: null } });
      expect(x.report.data).toMatchObject({ rfc5780: false });
      const said = x.events.find(({ event, state }) => event === 'partner' && state === 'up');
      if (world.words) expect(said).toMatchObject({ other: null, why: 'other-ports' });
    }
  });

  it('say so when the other one is not there from the beginning, and why that may be', async () => {
    const alone = async (partner: string, secretOfY?: string) => {
      const lab = new Lab();
      lab.addHost('X', [X]);
      lab.addHost('Y', [Y]);
      const { signal, interrupt } = interruptible();
      return play(lab, async (on, later) => {
        const serve = (host: string, other: string, NAT_TOOL_PARTNER_SECRET: string) =>
          run(['serve', '-4', '--partner', other], { env: on(host), signal, environment: { NAT_TOOL_PARTNER_SECRET } });
        const both = [
          serve('X', partner, SECRET.NAT_TOOL_PARTNER_SECRET),
          ...(secretOfY ? [serve('Y', X, secretOfY)] : []),
        ];
        await later(40_000);
        interrupt();
        return (await Promise.all(both))[0]?.stdout.split('\n').filter((line) => line.startsWith('partner '));
      });
    };
    expect(await alone(Y)).toEqual([`partner ${Y}:3478 is not there: no other address is told`]);
    expect(await alone('nowhere.example')).toEqual([
      'partner nowhere.example:3478 is not there: no other address is told',
    ]);
    expect(await alone(Y, 'another secret than that')).toEqual([
      `partner ${Y}:3478 is not there, or has another secret: no other address is told`,
    ]);
  });

  it.each([
    [['--partner', Y], {}, /NAT_TOOL_PARTNER_SECRET is not set/],
    [['--partner', Y], { NAT_TOOL_PARTNER_SECRET: 'short' }, /at least 16 characters, got 5/],
    [['--partner', Y, '-s', '1.2.3.4', '-s', '1.2.3.5'], SECRET, /--partner: its address is the second one/],
    [['--partner', 'a b'], SECRET, /--partner: expected host/],
  ])('say what is wrong with %j', async (words, environment, message) => {
    const { status, stderr } = await run(['serve', ...words], { environment });
    expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});
