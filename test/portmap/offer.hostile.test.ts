/** Routers, and others in their place, that mean harm. */
import { describe, expect, it } from 'vitest';
import { createLab, type Lab } from '../../src/lab/topology.ts';
import { type Env, ignoreNetError } from '../../src/net/env.ts';
import { openMapping } from '../../src/portmap/mapper.ts';
import { askOffer } from '../../src/portmap/offer.ts';
import { encodePcpResponse } from '../../src/portmap/pcp.ts';
import { encodeSsdpAnswer, IGD_TYPES } from '../../src/portmap/ssdp.ts';

const PAGE = (body: string): string => `HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\n\r\n${body}`;

/** Answers each search with these places, from that host. */
const search = (lab: Lab, host: string, locations: readonly string[]): void =>
  lab.serve(host, async (env) => {
    const socket = await env.udp.open({ family: 4, port: 1900 });
    socket.listen({
      datagram: ({ from }) => {
        for (const location of locations)
          socket
            .send(encodeSsdpAnswer({ location, target: IGD_TYPES[0], server: undefined }), from)
            .catch(ignoreNetError);
      },
    });
  });

/** A web server that says this, in pieces, and counts who comes. */
function web(lab: Lab, host: string, address: string, port: number, pieces: readonly string[], endless = false) {
  const count = { connections: 0, writes: 0 };
  lab.serve(host, async (env: Env) => {
    await env.tcp.listen({ address, port }, (stream) => {
      count.connections++;
      const answer = async (): Promise<void> => {
        for await (const _ of stream) {
          do {
            for (const piece of pieces) {
              count.writes++;
              await stream.write(new TextEncoder().encode(piece));
            }
            await new Promise<void>((resolve) => void env.clock.after(endless ? 5 : 0, resolve));
          } while (endless);
          stream.close();
        }
      };
      answer().catch(ignoreNetError);
    });
  });
  return count;
}

async function offered(lab: Lab) {
  const start = lab.world.now;
  const offer = await lab.run((env, signal) => askOffer(env, {}, signal));
  return { upnp: offer.upnp, tookMs: lab.world.now - start };
}

describe('a UPnP answer', () => {
  it('that leads elsewhere is not followed, and said', async () => {
    const lab = createLab();
    search(lab, 'N', ['http://50.60.70.80:80/x', 'http://192.168.1.4:80/y']);
    const there = [web(lab, 'B', '50.60.70.80', 80, ['x']), web(lab, 'Ab', '192.168.1.4', 80, ['x'])];
    const { upnp, tookMs } = await offered(lab);
    expect(upnp.answer).toBe('no');
    expect(upnp.oddities.filter(({ kind }) => kind === 'elsewhere')).toEqual([
      { kind: 'elsewhere', host: '50.60.70.80', router: false },
      { kind: 'elsewhere', host: '192.168.1.4', router: false },
    ]);
    expect(there.map(({ connections }) => connections)).toEqual([0, 0]);
    expect(tookMs).toBeLessThanOrEqual(1_200);
  });

  it('of another host is not believed, and counted', async () => {
    const lab = createLab();
    search(lab, 'Ab', ['http://192.168.1.4:80/x', 'http://192.168.1.1:80/x']);
    const there = web(lab, 'Ab', '192.168.1.4', 80, [PAGE('<root/>')]);
    const { upnp } = await offered(lab);
    expect(upnp.answer).toBe('no');
    expect(upnp.oddities).toEqual([{ kind: 'strangers', count: expect.any(Number), first: '192.168.1.4' }]);
    expect(there.connections).toBe(0);
  });

  it('that names thousands of places has four of them looked at', async () => {
    const lab = createLab();
    search(
      lab,
      'N',
      Array.from({ length: 2_000 }, (_, i) => `http://192.168.1.1:80/${i}`),
    );
    const there = web(lab, 'N', '192.168.1.1', 80, [PAGE('<root/>')]);
    const { upnp, tookMs } = await offered(lab);
    expect(upnp.answer).toBe('no');
    expect(there.connections).toBe(4);
    expect(tookMs).toBeLessThanOrEqual(1_200);
  });

  it('that is no http: address is left alone', async () => {
    const lab = createLab();
    search(lab, 'N', ['file:///etc/passwd', 'https://192.168.1.1/', 'nonsense']);
    expect((await offered(lab)).upnp).toMatchObject({ answer: 'no', oddities: [{ kind: 'unusable' }, {}, {}] });
  });
});

describe('a description', () => {
  it.each([
    ['without an end', 'a'.repeat(1_000), true, 'larger than 65536 bytes'],
    ['that trickles', 'a', true, 'no answer within 1000 ms'],
    ['that nests deeply', `HTTP/1.1 200 OK\r\n\r\n${'<a>'.repeat(10_000)}`, false, 'nest deeper'],
    ['with entities', PAGE('<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>'), false, 'entity'],
    ['that is a page', PAGE('<html><body>Log in</body></html>'), false, 'no service'],
    ['that is nothing', '', false, 'without an answer'],
  ])('%s is given up, and said', async (_, body, endless, words) => {
    const lab = createLab();
    search(lab, 'N', ['http://192.168.1.1:80/x']);
    const head = endless ? ['HTTP/1.1 200 OK\r\n\r\n'] : [];
    web(lab, 'N', '192.168.1.1', 80, [...head, body], endless);
    const { upnp, tookMs } = await offered(lab);
    expect(upnp.answer).toBe('no');
    expect(upnp.oddities).toEqual([{ kind: 'unusable', words: expect.stringContaining(words) }]);
    expect(tookMs).toBeLessThanOrEqual(2_200);
  });
});

describe('port control', () => {
  it('of another host is not heard', async () => {
    const lab = createLab({ nat: 'linux' });
    lab.serve('Ab', async (env) => {
      const socket = await env.udp.open({ family: 4, port: 5351 });
      const lie = encodePcpResponse({ opcode: 0, result: 0, lifetimeS: 0, epoch: 1 });
      const flood = (): void => {
        for (let port = 42_301; port < 42_320; port++)
          socket.send(lie, { address: '192.168.1.3', port }).catch(ignoreNetError);
        env.clock.after(1, flood);
      };
      flood();
    });
    const opened = await lab.run((env, signal) => openMapping(env, { transport: 'udp', internalPort: 12_001 }, signal));
    expect(opened).toMatchObject({ mapping: undefined, refusals: [] });
  });

  it('that answers with anything is not taken for more', async () => {
    const lab = createLab({ nat: 'linux' });
    lab.serve('N', async (env) => {
      const socket = await env.udp.open({ family: 4, port: 5351 });
      const { random } = env;
      socket.listen({
        datagram: ({ from }) => {
          for (let i = 0; i < 50; i++) socket.send(random.bytes(random.below(100)), from).catch(ignoreNetError);
        },
      });
    });
    const { mapping } = await lab.run((env, signal) =>
      openMapping(env, { transport: 'udp', internalPort: 12_001 }, signal),
    );
    expect(mapping).toBeUndefined();
  });
});
