import { describe, expect, it } from 'vitest';
import { World } from '../../src/lab/world.ts';
import { type ByteStream, NetError } from '../../src/net/env.ts';
import { attribute } from '../../src/stun/attributes.ts';
import { transact } from '../../src/stun/client.ts';
import { encodeBinding } from '../../src/stun/binding.ts';
import { decode, encode, mappedAddress } from '../../src/stun/message.ts';
import { singleSend } from '../../src/net/schedule.ts';
import { StreamChannel } from '../../src/stun/stream-channel.ts';
import { CLIENT, SERVER } from './scripted.ts';

const message = (software: string) =>
  encode({
    class: 'request',
    method: 1,
    transactionId: new Uint8Array(12),
    attributes: [attribute('SOFTWARE', software)],
  });

/** A stream whose far end answers each write through a script, and ends when `chunks` says so. */
function stream(respond: (data: Uint8Array) => Uint8Array[] | 'close' | NetError): ByteStream {
  const queue: (Uint8Array | 'close' | NetError)[] = [];
  let wake = () => {};
  return {
    local: CLIENT,
    remote: SERVER,
    write: (data) => {
      const answer = respond(data);
      queue.push(...(Array.isArray(answer) ? answer : [answer]));
      wake();
      return Promise.resolve();
    },
    close: () => {},
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const next = queue.shift();
        if (next === 'close') return;
        if (next instanceof NetError) throw next;
        if (next) yield next;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

function ask(respond: Parameters<typeof stream>[0]) {
  const world = new World();
  const clock = world.clock({ name: 'client', background: false });
  return world.run(() =>
    transact(
      new StreamChannel(stream(respond), clock),
      {},
      {
        to: SERVER,
        schedule: singleSend(39500),
        clock,
        random: world.random(''),
        signal: new AbortController().signal,
      },
    ),
  );
}

describe('StreamChannel', () => {
  it('finds its answer among split and foreign messages', async () => {
    const outcome = await ask((data) => {
      const answer = encode({
        ...decode(data),
        class: 'success',
        attributes: [attribute('XOR-MAPPED-ADDRESS', CLIENT)],
      });
      const elsewhere = { address: '6.6.6.6', port: 6 };
      const other = encodeBinding('success', new Uint8Array(12), [attribute('XOR-MAPPED-ADDRESS', elsewhere)]);
      return [message('foreign'), other, answer.subarray(0, 7), answer.subarray(7)];
    });
    expect(outcome).toMatchObject({ kind: 'answered', from: SERVER, sent: 1, received: 1 });
    expect('message' in outcome && mappedAddress(outcome.message)).toEqual(CLIENT);
  });

  it.each([
    ['closes', 'close', 'closed'],
    ['resets', new NetError('refused', 'reset'), 'refused'],
    ['speaks something else', [new TextEncoder().encode('HTTP/1.1 400 Bad Request')], 'other'],
  ] as const)('tells when the server %s', async (_, answer, kind) => {
    const outcome = await ask(() => (Array.isArray(answer) ? [...answer] : answer) as 'close');
    expect(outcome).toMatchObject({ kind: 'network-error', error: { kind } });
  });
});
