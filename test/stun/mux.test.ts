import { describe, expect, it } from 'vitest';
import { type Datagram, NetError } from '../../src/net/env.ts';
import { encodeBinding } from '../../src/stun/binding.ts';
import type { MessageClass } from '../../src/stun/message.ts';
import type { Reply } from '../../src/stun/mux.ts';
import { SERVER, stage } from './scripted.ts';

const id = (n: number) => Uint8Array.from({ length: 12 }, (_, i) => (i === 0 ? n & 0xff : i === 1 ? n >> 8 : 7));
const bytes = (kind: MessageClass, n: number) => encodeBinding(kind, id(n));

/** What the socket hears, one datagram for each of `sent`, and who was told of it. */
async function heard(
  sent: readonly Uint8Array[],
  prepare: (scene: ReturnType<typeof stage>, replies: Reply[]) => void,
) {
  const replies: Reply[] = [];
  const others: { readonly datagram: Datagram; readonly kind: MessageClass | undefined }[] = [];
  const scene = stage(({ reply }) => {
    for (const each of sent) reply(each);
  });
  scene.mux.onOther = (datagram, message) => others.push({ datagram, kind: message?.class });
  prepare(scene, replies);
  await scene.world.run(async () => {
    await scene.mux.send(bytes('request', 1), SERVER);
    await new Promise<void>((resolve) => scene.clock.after(100, resolve));
  });
  return { replies, others: others.map(({ kind }) => kind) };
}

describe('StunMux', () => {
  it('hands each response to who waits for its ID, error or success, with source and arrival', async () => {
    const { replies, others } = await heard([bytes('success', 1), bytes('error', 1)], ({ mux }, into) =>
      mux.expect(id(1), (reply) => into.push(reply)),
    );
    expect(replies.map(({ message, from, at }) => ({ kind: message.class, from, at }))).toEqual([
      { kind: 'success', from: SERVER, at: 20 },
      { kind: 'error', from: SERVER, at: 20 },
    ]);
    expect(others).toEqual([]);
  });

  it('tells of everything else: requests and indications even with an awaited ID, strange IDs, what is no STUN', async () => {
    const { replies, others } = await heard(
      [bytes('request', 1), bytes('indication', 1), bytes('success', 2), new TextEncoder().encode('who goes there?')],
      ({ mux }, into) => mux.expect(id(1), (reply) => into.push(reply)),
    );
    expect(replies).toEqual([]);
    expect(others).toEqual(['request', 'indication', 'success', undefined]);
  });

  it('drops a second answer to what has ended, but not for ever', async () => {
    const { others } = await heard([bytes('success', 1)], ({ mux }) => mux.expect(id(1), () => {})());
    expect(others).toEqual([]);
    const late = await heard([bytes('success', 1)], ({ mux }) => {
      for (let n = 1; n <= 257; n++) mux.expect(id(n), () => {})();
    });
    expect(late.others).toEqual(['success']);
  });

  it('leaves a later wait for the same ID alone when the earlier one ends', async () => {
    const { replies } = await heard([bytes('success', 1)], ({ mux }, into) => {
      const release = mux.expect(id(1), () => {});
      mux.expect(id(1), (reply) => into.push(reply));
      release();
    });
    expect(replies).toHaveLength(1);
  });

  it('tells watchers of errors until they leave', async () => {
    const kinds: string[] = [];
    const scene = stage(({ fail }) => fail(new NetError('refused', '')));
    const release = scene.mux.watch(({ kind }) => kinds.push(`gone ${kind}`));
    scene.mux.watch(({ kind }) => kinds.push(kind));
    scene.mux.onError = ({ kind }) => kinds.push(`own ${kind}`);
    release();
    await scene.world.run(async () => {
      await scene.mux.send(bytes('request', 1), SERVER);
      await new Promise<void>((resolve) => scene.clock.after(100, resolve));
    });
    expect(kinds).toEqual(['own refused', 'refused']);
  });
});
