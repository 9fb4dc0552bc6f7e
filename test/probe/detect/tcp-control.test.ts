import { describe, expect, it } from 'vitest';
import { createLab } from '../../../src/lab/topology.ts';
import { tcpControl } from '../../../src/probe/detect/tcp-control.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { decode, type Decoded } from '../../../src/stun/message.ts';
import { SERVER, success } from '../scripted-server.ts';

/** What is written to the first request; undefined: nothing, and the connection stays. */
async function controlled(answer?: (request: Decoded) => readonly Uint8Array[]) {
  const lab = createLab();
  lab.addHost('S', [SERVER.address]);
  lab.serve('S', (host) =>
    host.tcp.listen(SERVER, async (stream) => {
      for await (const chunk of stream) for (const each of answer?.(decode(chunk)) ?? []) await stream.write(each);
      stream.close();
    }),
  );
  return lab.run((env, signal) => tcpControl(env, SERVER, undefined, signal));
}

const MAPPED = { address: '12.13.14.15', port: 1 };

describe('the control over TCP', () => {
  it('is answered by a server, in whatever pieces', async () => {
    const { outcome, evidence } = await controlled((request) => {
      const bytes = success(request, MAPPED);
      return [bytes.slice(0, 7), bytes.slice(7)];
    });
    expect(outcome).toBe('answered');
    expect(evidence).toMatchObject({ test: 'tcp-control', received: 1, verdict: 'answered' });
  });

  it('is not answered with another transaction ID, nor without a mapped address, nor by another protocol', async () => {
    const other = encodeBinding('success', new Uint8Array(12), [attribute('XOR-MAPPED-ADDRESS', MAPPED)]);
    expect((await controlled(() => [other])).outcome).toBe('silent');
    expect((await controlled(({ transactionId }) => [encodeBinding('success', transactionId)])).outcome).toBe('silent');
    expect((await controlled(() => [new TextEncoder().encode('HTTP/1.1 400 Bad Request\r\n\r\n')])).outcome).toBe(
      'silent',
    );
  });

  it('is given up after its time, and refused where nobody listens', async () => {
    const { outcome, evidence } = await controlled();
    expect(outcome).toBe('silent');
    expect(evidence).toMatchObject({ received: 0, rttMs: null });
    const lab = createLab();
    lab.addHost('S', [SERVER.address]);
    expect((await lab.run((env, signal) => tcpControl(env, SERVER, undefined, signal))).outcome).toBe('refused');
  });
});
