/** What an operator has of `serve`: metrics, health, and an end that lets meetings end. */
import { describe, expect, it } from 'vitest';
import { Lab } from '../../../src/lab/topology.ts';
import type { Env } from '../../../src/net/env.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { register, two, packet, bytes } from '../../rendezvous/wire.ts';
import { decode, type Decoded } from '../../../src/stun/message.ts';
import { decodeState } from '../../../src/rendezvous/protocol.ts';
import { interruptible, play, run, tell } from '../worlds.ts';

const T = '40.30.20.60';
const AT = { address: T, port: 3478 };

async function page(env: Env, path: string): Promise<string> {
  const stream = await env.tcp.connect({ address: T, port: 9100 }, {});
  await stream.write(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${T}\r\n\r\n`));
  let text = '';
  for await (const chunk of stream) text += Buffer.from(chunk).toString();
  stream.close();
  return text;
}

const metric = (text: string, name: string): number | undefined => {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
};

/** A host that registers in rooms by hand. */
async function member(env: Env, own: Uint8Array) {
  const socket = await env.udp.open({ family: 4 });
  const heard: Decoded[] = [];
  socket.listen({ datagram: ({ data }) => void heard.push(decode(data)) });
  return {
    say: (over: Parameters<typeof register>[0] = {}) => {
      const last = heard.map((each) => decodeState(each)).findLast((each) => each !== undefined);
      return socket.send(packet(register({ member: own, ...(last && { cookie: last.cookie }), ...over })), AT);
    },
    statuses: () => heard.map((each) => decodeState(each)?.status),
    close: () => socket.close(),
  };
}

function serving<T>(
  words: readonly string[],
  main: (of: {
    readonly a: Env;
    readonly c2: Env;
    readonly later: (ms: number) => Promise<void>;
    readonly term: () => void;
    readonly interrupt: () => void;
  }) => Promise<T>,
) {
  const lab = new Lab({ nat: 'full-cone', second: { nat: 'full-cone' } });
  lab.addHost('T', [T]);
  const { signal, interrupt } = interruptible();
  let term: () => void = () => {};
  return play(lab, async (on, later) => {
    const began = on('A').clock.now();
    const ended = tell(on('T'), ['serve', '-s', T, ...words], {
      signal,
      onTerm: (handler) => {
        term = handler;
      },
    }).then((told) => ({ ...told, endedMs: on('A').clock.now() - began }));
    await later(100);
    const found = await main({ a: on('A'), c2: on('C2'), later, term: () => term(), interrupt });
    return { found, server: await ended };
  });
}

describe('serve --metrics', () => {
  it('tells what was asked and answered, and that it is well', async () => {
    const { found, server } = await serving(['--metrics', `${T}:9100`], async ({ a, interrupt }) => {
      await run(['stun', '-c', '3', T], { env: a });
      const socket = await a.udp.open({ family: 4 });
      await socket.send(Uint8Array.of(1, 2, 3), AT);
      await socket.send(encodeBinding('request', new Uint8Array(12)).subarray(0, 22).fill(7, 20), AT);
      socket.close();
      const texts = [await page(a, '/metrics'), await page(a, '/healthz'), await page(a, '/')];
      interrupt();
      return texts;
    });
    const [metrics = '', health = '', none] = found;
    expect(health).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\nok\n$/);
    expect(none).toMatch(/^HTTP\/1\.1 404 /);
    expect(metric(metrics, 'nat_tool_up')).toBe(1);
    expect(metric(metrics, 'nat_tool_requests_total')).toBe(6);
    expect(metric(metrics, 'nat_tool_answers_total{kind="success"}')).toBe(5);
    expect(metric(metrics, 'nat_tool_drops_total{reason="other"}')).toBe(1);
    expect(metric(metrics, 'nat_tool_event_loop_delay_seconds_sum')).toBe(0);
    // A name of its own for each line, and none twice.
    const names = metrics
      .slice(metrics.indexOf('\r\n\r\n') + 4)
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.slice(0, line.lastIndexOf(' ')));
    expect(new Set(names).size).toBe(names.length);
    expect(server.events).toContainEqual({ event: 'metrics', address: `${T}:9100` });
  });

  it.each([
    [['--metrics', 'x'], /--metrics: expected PORT, ADDRESS:PORT/],
    [['--metrics', 'localhost:9100'], /--metrics: expected/],
    [['--metrics', '0'], /--metrics: expected/],
    [['--drain', '-1'], /--drain: expected a whole number from 0 to 3600/],
  ])('refuses %j', async (words, message) => {
    const { status, stderr } = await run(['serve', ...words]);
    expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
  });

  it('says so where its port cannot be had', async () => {
    const lab = new Lab();
    const env = lab.addHost('T', [T]);
    const { status, stderr } = await lab.run(() => run(['serve', '-s', T, '--metrics', '1.2.3.4:9100'], { env }));
    expect([status, stderr]).toEqual([2, expect.stringMatching(/--metrics: cannot listen on 1\.2\.3\.4:9100/)]);
  });
});

describe('serve on SIGTERM', () => {
  it('ends at once where nobody meets', async () => {
    const { server } = await serving([], async ({ term }) => term());
    expect(server.status).toBe(0);
    expect(server.endedMs).toBeLessThan(200);
    expect(server.events.at(-2)).toEqual({ event: 'draining', meetings: 0, seconds: 10 });
  });

  it('lets a meeting end, refuses new ones with the reason, and says that it is not well', async () => {
    const { found, server } = await serving(['--metrics', `${T}:9100`], async ({ a, c2, later, term }) => {
      const [one, other, late] = [await member(a, bytes(16, 1)), await member(c2, two), await member(c2, bytes(16, 9))];
      for (let i = 0; i < 3; i++) {
        await Promise.all([one.say(), other.say()]);
        await later(100);
      }
      term();
      await late.say({ room: bytes(16, 77) });
      await later(100);
      const health = await page(a, '/healthz');
      const refused = await run(['connect', '--check', '--server', T], {
        env: c2,
        environment: { NAT_TOOL_CODE: 'k7qf2-m9x4t-03bsd-v8hwd' },
      });
      const stun = await run(['stun', '--short', T], { env: a });
      await Promise.all([one.say({ bye: true, sequence: 2 }), other.say({ bye: true, sequence: 2 })]);
      await later(300);
      const all = { late: late.statuses(), pair: one.statuses(), health, refused, stun };
      for (const each of [one, other, late]) each.close();
      return all;
    });
    expect(found.late).toEqual(['busy']);
    expect(found.pair).toContain('paired');
    expect(found.health).toMatch(/^HTTP\/1\.1 503 [\s\S]*draining\n$/);
    expect(found.refused).toMatchObject({ status: 1 });
    expect(found.refused.stderr + found.refused.stdout).toMatch(/takes no more meetings/);
    expect(found.stun.status).toBe(0);
    expect(server.endedMs).toBeLessThan(9000);
    expect(server.events).toContainEqual({ event: 'draining', meetings: 1, seconds: 10 });
  });

  it.each([
    [['--drain', '3'], false, 3000],
    [['--drain', '60'], true, 1000],
    [['--drain', '0'], false, 0],
  ])('with %j ends at the bound, or at the second signal (%s)', async (words, again, ms) => {
    const { server, found } = await serving(words, async ({ a, c2, later, term, interrupt }) => {
      const [one, other] = [await member(a, bytes(16, 1)), await member(c2, two)];
      for (let i = 0; i < 3; i++) {
        await Promise.all([one.say(), other.say()]);
        await later(100);
      }
      const at = a.clock.now();
      term();
      if (again) {
        await later(1000);
        interrupt();
      }
      one.close();
      other.close();
      return at;
    });
    expect(server.status).toBe(0);
    expect(server.endedMs - found).toBeGreaterThanOrEqual(ms);
    expect(server.endedMs - found).toBeLessThan(ms + 150);
  });
});
