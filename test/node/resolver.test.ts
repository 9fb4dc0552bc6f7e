import { createSocket } from 'node:dgram';
import { describe, expect, it } from 'vitest';
import type { Resolver } from '../../src/net/env.ts';
import { addressesInHosts } from '../../src/node/hosts.ts';
import { createResolver, nodeResolver } from '../../src/node/resolver.ts';

/** A DNS server on loopback that gives every question the same answer. */
async function withServer(
  answer: (question: Buffer) => Buffer | undefined,
  run: (resolver: Resolver) => Promise<void>,
): Promise<void> {
  const socket = createSocket('udp4', (query, from) => {
    const reply = answer(query);
    if (reply) socket.send(reply, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  try {
    await run(createResolver({ nameServers: [`127.0.0.1:${socket.address().port}`], hostsFile: '/nonexistent' }));
  } finally {
    socket.close();
  }
}

const header = (query: Buffer, flags: number, answers: number): Buffer => {
  const end = query.indexOf(0, 12) + 5;
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE(flags, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(answers, 6);
  head.writeUInt32BE(0, 8);
  return head;
};

const answer = (query: Buffer, type: number, ...rdata: Buffer[]): Buffer =>
  Buffer.concat([
    header(query, 0x8180, rdata.length),
    // The owner is a pointer to the question's name, the class IN, the lifetime an hour.
    ...rdata.flatMap((data) => [Buffer.from([0xc0, 0x0c, 0, type, 0, 1, 0, 0, 0x0e, 0x10, 0, data.length]), data]),
  ]);
const [A, AAAA, SRV] = [1, 28, 33];
const typeOf = (query: Buffer): number => query.readUInt16BE(query.indexOf(0, 12) + 1);
const V4 = Buffer.from([192, 0, 2, 1]);
const V6 = Buffer.from('20010db8000000000000000000000001', 'hex');

describe('names', () => {
  it('a literal is its own answer, in canonical text, and only in its own family', async () => {
    expect(await nodeResolver.addresses('192.0.2.1', undefined)).toEqual(['192.0.2.1']);
    expect(await nodeResolver.addresses('2001:DB8:0::1', 6)).toEqual(['2001:db8::1']);
    await expect(nodeResolver.addresses('192.0.2.1', 6)).rejects.toMatchObject({ name: 'NetError', kind: 'not-found' });
  });

  it('the hosts file is asked', async () => {
    expect(await nodeResolver.addresses('localhost', 4)).toEqual(['127.0.0.1']);
  });

  it('an alias of itself is no address, and said so', async () => {
    const loop = (query: Buffer) => answer(query, 5, Buffer.from([0xc0, 0x0c]));
    await withServer(loop, async (resolver) => {
      for (const family of [undefined, 4, 6] as const)
        await expect(resolver.addresses('round.example', family)).rejects.toMatchObject({
          kind: 'resolver',
          message: 'the name server names no address of round.example',
        });
    });
  });

  it('an aborted signal ends the wait with its own reason', async () => {
    const reason = new Error('enough');
    await expect(nodeResolver.addresses('localhost', 4, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const waiting = nodeResolver.addresses('localhost', 4, controller.signal);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  it('DNS gives both families, or the one asked for', async () => {
    await withServer(
      (query) => (typeOf(query) === A ? answer(query, A, V4) : answer(query, AAAA, V6)),
      async (resolver) => {
        expect((await resolver.addresses('stun.example.test', undefined)).sort()).toEqual(['192.0.2.1', '2001:db8::1']);
        expect(await resolver.addresses('stun.example.test', 4)).toEqual(['192.0.2.1']);
        expect(await resolver.addresses('stun.example.test', 6)).toEqual(['2001:db8::1']);
      },
    );
  });

  it('one family’s silence does not hold up the other’s answer', async () => {
    await withServer(
      (query) => (typeOf(query) === A ? answer(query, A, V4) : undefined),
      async (resolver) => expect(await resolver.addresses('stun.example.test', undefined)).toEqual(['192.0.2.1']),
    );
  });

  it('a failing name server is the resolver’s fault, and a silent one can be left at once', async () => {
    await withServer(
      (query) => header(query, 0x8182, 0),
      async (resolver) => {
        await expect(resolver.addresses('stun.example.test', undefined)).rejects.toMatchObject({
          kind: 'resolver',
          code: 'ESERVFAIL',
        });
      },
    );
    await withServer(
      () => undefined,
      async (resolver) => {
        const reason = new Error('enough');
        const controller = new AbortController();
        const waiting = resolver.addresses('stun.example.test', undefined, controller.signal);
        setTimeout(() => controller.abort(reason), 20);
        await expect(waiting).rejects.toBe(reason);
      },
    );
  });
});

describe('a hosts file', () => {
  const text =
    '# comment\n127.0.0.1\tlocalhost  Loop # more\n\n2001:DB8::1 six loop\r\nnonsense loop\n192.0.2.9 sixteen\n';
  it.each([
    ['loop', ['127.0.0.1', '2001:db8::1']],
    ['LOCALHOST', ['127.0.0.1']],
    ['six', ['2001:db8::1']],
    ['comment', []],
    ['192.0.2.9', []],
  ])('%s', (name, addresses) => expect(addressesInHosts(text, name)).toEqual(addresses));
});

describe('service records', () => {
  it('are read whole', async () => {
    // SRV 10 5 3478 stun.test.
    const rdata = Buffer.concat([
      Buffer.from([0, 10, 0, 5, 0x0d, 0x96]),
      Buffer.from('\x04stun\x04test\x00', 'latin1'),
    ]);
    await withServer(
      (query) => answer(query, SRV, rdata),
      async (resolver) => {
        expect(await resolver.services('_stun._udp.example.test')).toEqual([
          { host: 'stun.test', port: 3478, priority: 10, weight: 5 },
        ]);
      },
    );
  });

  it('none is an empty list; a failing server is the resolver’s fault', async () => {
    await withServer(
      (query) => header(query, 0x8183, 0),
      async (resolver) => expect(await resolver.services('_stun._udp.example.test')).toEqual([]),
    );
    await withServer(
      (query) => header(query, 0x8182, 0),
      async (resolver) => {
        await expect(resolver.services('_stun._udp.example.test')).rejects.toMatchObject({ kind: 'resolver' });
      },
    );
  });

  it('waiting for a silent server ends with the signal', async () => {
    await withServer(
      () => undefined,
      async (resolver) => {
        const reason = new Error('enough');
        const controller = new AbortController();
        const waiting = resolver.services('_stun._udp.example.test', controller.signal);
        setImmediate(() => controller.abort(reason));
        await expect(waiting).rejects.toBe(reason);
      },
    );
  });
});
