/** Two peers of ours over paths of every kind, on virtual time: nothing stalls, and all that was sent comes, once and in order. */
import { expect, it } from 'vitest';
import { seededRandom } from '../../src/lab/random.ts';
import type { DataChannel } from '../../src/webrtc/channel.ts';
import type { WebrtcPeer } from '../../src/webrtc/peer.ts';
import { arrange, lab } from './two.ts';

// Thousands: NAT_TOOL_WEBRTC_SEEDS=2000.
const SEEDS = Number(process.env['NAT_TOOL_WEBRTC_SEEDS'] ?? 16);
const NATS = ['full-cone', 'restricted-cone', 'port-restricted-cone'] as const;
const MESSAGES = 40;

/** Numbered messages of many sizes, one way on a channel of the sender's. */
function send(from: WebrtcPeer, to: WebrtcPeer, label: string, size: () => number): { readonly heard: number[] } {
  const heard: number[] = [];
  to.onChannel = (channel) => {
    channel.onMessage = (data) => heard.push(Number(String(data).split(' ')[0]));
  };
  const channel: DataChannel = from.open(label);
  for (let nth = 0; nth < MESSAGES; nth++) channel.send(`${nth} ${'x'.repeat(size())}`);
  return { heard };
}

async function run(seed: number): Promise<unknown> {
  const random = seededRandom(seed, 'webrtc');
  const pick = () => NATS[random.below(NATS.length)] as (typeof NATS)[number];
  const made = lab({
    seed,
    nat: pick(),
    second: { nat: pick() },
    rttMs: 2 + random.below(400),
    jitterMs: random.below(30),
    loss: random.chance(0.2) ? 0 : random.unit() * 0.2,
    reorder: random.chance(0.5) ? 0 : random.unit() * 0.2,
    duplicate: random.chance(0.5) ? 0 : random.unit() * 0.2,
  });
  const setup = random.chance(0.5) ? 'active' : 'passive';
  return made.run(async (env, signal) => {
    const two = await arrange(env, made.host('C2'), { stun: made.servers, answerer: { setup } }, signal);
    const size = () => random.below(random.chance(0.1) ? 20_000 : 300);
    const there = send(two.offerer, two.answerer, 'there', size);
    const back = send(two.answerer, two.offerer, 'back', size);
    const until = env.clock.now() + 120_000;
    while (there.heard.length < MESSAGES || back.heard.length < MESSAGES) {
      if (env.clock.now() > until || two.offerer.state === 'ended') break;
      await new Promise<void>((resolve) => env.clock.after(100, resolve));
    }
    const { state } = two.offerer;
    two.offerer.close();
    two.answerer.close();
    await Promise.all([two.offerer.ended, two.answerer.ended]);
    return { state, there: there.heard, back: back.heard };
  });
}

it(`on ${SEEDS} paths with 0 to 20 % loss`, { timeout: 3_600_000 }, async () => {
  const all = Array.from({ length: MESSAGES }, (_, nth) => nth);
  for (let seed = 0; seed < SEEDS; seed++)
    expect({ seed, ...((await run(seed)) as object) }).toEqual({ seed, state: 'connected', there: all, back: all });
});
