/** How a connection does not come to be, or ends: each with its own cause, and everything freed. */
import { describe, expect, it } from 'vitest';
import type { Env, UdpSocket } from '../../src/net/env.ts';
import { newIdentity } from '../../src/dtls/certificate.ts';
import { SdpError } from '../../src/ice/sdp.ts';
import { seededRandom } from '../../src/lab/random.ts';
import { WebrtcPeer } from '../../src/webrtc/peer.ts';
import { type PeerEnd, PeerError } from '../../src/webrtc/peer-api.ts';
import { arrange, firstChannel, lab, message, type Two } from './two.ts';

/** The same world, where datagrams that `drops` names do not leave. */
function filtered(env: Env, drops: (data: Uint8Array) => boolean): Env {
  const wrap = (socket: UdpSocket): UdpSocket => ({
    local: socket.local,
    send: (data, to, options) => (drops(data) ? Promise.resolve() : socket.send(data, to, options)),
    listen: (listener) => socket.listen(listener),
    close: () => socket.close(),
  });
  return {
    ...env,
    interfaces: () => env.interfaces(),
    udp: { open: async (...args) => wrap(await env.udp.open(...args)) },
  };
}
const isDtls = ([first = 0]: Uint8Array): boolean => first >= 20 && first <= 63;

const endsOf = ({ offerer, answerer }: Two): Promise<PeerEnd[]> => Promise.all([offerer.ended, answerer.ended]);
const kindsOf = async (two: Two): Promise<string[]> => (await endsOf(two)).map(({ kind }) => kind);
const other = newIdentity(seededRandom(9, 'somebody'), new Date());

describe('a connection', () => {
  it('with a wrong fingerprint is refused by DTLS, and nothing of it is heard', async () => {
    const made = lab();
    const [ends, heard] = await made.run(async (env, signal) => {
      // The offer names another certificate than the offerer has.
      const { fingerprint } = newIdentity(seededRandom(1, 'real'), new Date());
      const identity = { ...other, fingerprint };
      const two = await arrange(env, made.host('C2'), { stun: made.servers, offerer: { identity } }, signal);
      let channels = 0;
      two.answerer.onChannel = () => channels++;
      two.offerer.open('never').send('heard');
      await expect(two.offerer.connected).rejects.toBeInstanceOf(PeerError);
      return [await endsOf(two), channels] as const;
    });
    expect(heard).toBe(0);
    expect(ends).toMatchObject([
      { kind: 'dtls-failed', error: { kind: 'alert', alert: 42 } },
      { kind: 'dtls-failed', error: { kind: 'fingerprint' } },
    ]);
  });

  it('whose DTLS is swallowed says so, and whether anything came', async () => {
    const made = lab();
    const ends = await made.run(async (env, signal) => {
      const timeouts = { dtlsMs: 3_000 };
      const two = await arrange(
        filtered(env, isDtls),
        made.host('C2'),
        { stun: made.servers, offerer: { timeouts }, answerer: { timeouts } },
        signal,
      );
      return endsOf(two);
    });
    // The answerer says hello; what the offerer answers is lost.
    expect(ends).toEqual([
      { kind: 'dtls-silent', heard: true },
      { kind: 'dtls-silent', heard: false },
    ]);
  });

  it('whose SCTP is swallowed is stalled', async () => {
    const made = lab();
    const kinds = await made.run(async (env, signal) => {
      const two = await arrange(
        filtered(env, ([type]) => type === 23),
        filtered(made.host('C2'), ([type]) => type === 23),
        { stun: made.servers },
        signal,
      );
      return kindsOf(two);
    });
    expect(kinds).toEqual(['sctp-stalled', 'sctp-stalled']);
  });

  it('that finds no way says why', async () => {
    const made = lab({ nat: 'symmetric', second: { nat: 'symmetric' } });
    const ends = await made.run(async (env, signal) =>
      endsOf(await arrange(env, made.host('C2'), { stun: made.servers }, signal)),
    );
    expect(ends).toEqual(Array.from({ length: 2 }, () => ({ kind: 'no-pair', reason: 'no-answer' })));
  });

  it('that may use relays alone, and has none, tells no candidates', async () => {
    const made = lab();
    const [candidates, ends] = await made.run(async (env, signal) => {
      const two = await arrange(env, made.host('C2'), { stun: made.servers, offerer: { relayOnly: true } }, signal);
      return [two.offerer.local.length, await endsOf(two)] as const;
    });
    expect(candidates).toBe(0);
    expect(ends[0]).toEqual({ kind: 'no-pair', reason: expect.stringMatching(/no-pairs|only-inbound/) });
  });

  it('whose path goes away is told to be lost by those who ask it', async () => {
    const made = lab();
    const kinds = await made.run(async (env, signal) => {
      const two = await arrange(env, made.host('C2'), { stun: made.servers }, signal);
      await Promise.all([two.offerer.connected, two.answerer.connected]);
      made.internet.particular = () => ({ loss: 1 });
      return kindsOf(two);
    });
    expect(kinds).toEqual(['consent-lost', 'consent-lost']);
  });

  it('that was never begun is freed all the same', async () => {
    const made = lab();
    const ended = await made.run(async (env, signal) => {
      const peer = new WebrtcPeer(env, { role: 'offerer' });
      await peer.gather({ stun: made.servers }, signal);
      const channel = peer.open('x');
      let closed = 0;
      channel.onClose = () => closed++;
      peer.close();
      peer.close();
      return { end: await peer.ended, closed };
    });
    expect(ended).toEqual({ end: { kind: 'closed' }, closed: 1 });
  });
});

describe('descriptions', () => {
  it('of the wrong kind are refused, and ours coming back', async () => {
    const made = lab();
    await made.run(async (env, signal) => {
      const kind = (act: () => void): unknown => {
        try {
          return act();
        } catch (error) {
          return error instanceof SdpError ? error.kind : error;
        }
      };
      const two = [new WebrtcPeer(env, { role: 'offerer' }), new WebrtcPeer(env, { role: 'offerer' })] as const;
      await two[0].gather({ stun: [] }, signal);
      expect(kind(() => two[0].meet(two[1].description()))).toBe('setup');
      expect(kind(() => two[0].meet(two[0].description().replace('actpass', 'active')))).toBe('own');
      expect(kind(() => two[0].meet('v=0'))).toBe('credentials');
      expect(kind(() => two[0].addCandidate('candidate:nonsense'))).toBe('malformed');
      two[0].addCandidate('candidate:1 1 udp 1 x.local 5 typ host');
      expect(two[0].ignored.map((each) => each.kind)).toEqual(['host-name']);
      for (const each of two) each.close();
    });
  });
});

describe('what a path lets through', () => {
  it('is counted by requests that nobody repeats', async () => {
    const made = lab({ loss: 0 });
    const result = await made.run(async (env, signal) => {
      const two = await arrange(env, made.host('C2'), { stun: made.servers }, signal);
      await Promise.all([two.offerer.connected, two.answerer.connected]);
      const before = two.answerer.counters.ice.requests;
      made.internet.particular = () => ({ loss: 0.1 });
      const probed = await two.offerer.probe({ count: 1_000, intervalMs: 5, waitMs: 500 }, signal);
      const forward = two.answerer.counters.ice.requests - before;
      two.offerer.close();
      two.answerer.close();
      return { ...probed, forward };
    });
    expect(result.sent).toBe(1_000);
    // 10 % each way, give or take what chance does in a thousand.
    expect(result.forward).toBeGreaterThan(870);
    expect(result.forward).toBeLessThan(935);
    expect(result.answered).toBeGreaterThan(770);
    expect(result.answered).toBeLessThan(850);
    expect(Math.min(...result.rttMs)).toBe(40);
  });

  it('is nothing where there is no path', async () => {
    const made = lab();
    const result = await made.run(async (env, signal) => {
      const peer = new WebrtcPeer(env, { role: 'offerer' });
      const probed = await peer.probe({ count: 5, intervalMs: 1, waitMs: 1 }, signal);
      peer.close();
      return probed;
    });
    expect(result).toEqual({ sent: 0, answered: 0, rttMs: [], requests: 0 });
  });
});

it('strangers that speak DTLS to an open port are not heard', async () => {
  const made = lab({ nat: 'full-cone', second: { nat: 'full-cone' } });
  const told = await made.run(async (env, signal) => {
    const two = await arrange(env, made.host('C2'), { stun: made.servers }, signal);
    const theirs = firstChannel(two.answerer);
    const ours = two.offerer.open('x');
    await two.offerer.connected;
    const target = two.answerer.local.find(({ type }) => type === 'srflx');
    const stranger = await made.host('B').udp.open({ family: 4 });
    for (let nth = 0; nth < 100; nth++)
      if (target)
        await stranger.send(Uint8Array.from([22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, nth, 0, 0]), target.endpoint);
    ours.send('still there');
    const heard = await message(await theirs);
    stranger.close();
    const { dropped } = two.answerer.counters;
    two.offerer.close();
    await two.answerer.ended;
    return { heard, dropped };
  });
  expect(told).toEqual({ heard: 'still there', dropped: { unproven: 100, replayed: 0, malformed: 0 } });
});
