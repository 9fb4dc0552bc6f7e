import { describe, expect, it } from 'vitest';
import { describeFaults, LAB_FAULTS, type LabFault, withFaults } from '../../src/lab/faults.ts';
import { createLab, type Lab, type LabOptions } from '../../src/lab/topology.ts';
import { type Endpoint, familyOf, formatEndpoint } from '../../src/net/address.ts';
import { type Env, NetError } from '../../src/net/env.ts';
import { IPV4_ONLY, prefixesIn } from '../../src/net/nat64.ts';
import { sleep } from '../../src/net/wait.ts';
import { decode, encode, mappedAddress, METHOD } from '../../src/stun/message.ts';

const faulty = (faults: readonly LabFault[], options: LabOptions = {}): Lab => createLab(withFaults(options, faults));

/** From one socket: what the server there says of us, or why it cannot be asked; undefined for silence. */
async function seenBy(env: Env, to: Endpoint, remote?: Endpoint): Promise<string | undefined> {
  const socket = await env.udp.open({ family: familyOf(to.address), remote });
  try {
    let seen: string | undefined;
    socket.listen({
      datagram: ({ data }) => {
        const mapped = mappedAddress(decode(data));
        seen = mapped && formatEndpoint(mapped);
      },
    });
    const transactionId = env.random.bytes(12);
    await socket.send(encode({ class: 'request', method: METHOD.binding, transactionId, attributes: [] }), to);
    await sleep(env.clock, 200);
    return seen;
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
    return `${error.kind} ${error.code}`;
  } finally {
    socket.close();
  }
}

const at = (address: string): Endpoint => ({ address, port: 3478 });

describe('the faults of a lab', () => {
  it('have different names, each in the help', () => {
    expect(new Set(LAB_FAULTS).size).toBe(LAB_FAULTS.length);
    const help = describeFaults().join(' ');
    for (const fault of LAB_FAULTS) expect(help).toContain(`${fault} (`);
  });

  it('of servers are those of the first one, in their order', () => {
    const { servers } = withFaults({}, ['duplicate', 'more-servers', 'lie-cgn']);
    expect(servers?.map(({ name, faults }) => [name, faults])).toEqual([
      ['stun.example.net', ['duplicate', 'lie-cgn']],
      ['stun2.example.net', undefined],
      ['stun3.example.net', undefined],
    ]);
  });

  it('leave everything else as it was', () => {
    const options: LabOptions = { nat: 'symmetric', loss: 0.1 };
    expect(withFaults(options, [])).toBe(options);
    expect(withFaults(options, ['silent'])).toMatchObject(options);
  });
});

describe('more servers', () => {
  it('tell the truth where the first lies', async () => {
    const lab = faulty(['lie-private', 'more-servers'], { nat: 'full-cone' });
    const seen = await lab.run(async (env) => Promise.all(lab.servers.map((server) => seenBy(env, server))));
    expect(seen).toEqual(['10.0.0.7:31234', '12.13.14.15:24605', '12.13.14.15:24606']);
  });
});

describe('a server in the own network', () => {
  it('sees the private side, by name', async () => {
    const lab = faulty(['lan-server']);
    const seen = await lab.run(async (env) => {
      const [address] = await env.resolver.addresses('stun.lan', 4);
      return address && seenBy(env, at(address));
    });
    expect(seen).toBe('192.168.1.3:42301');
  });

  it('is nowhere where there is no such network', () =>
    expect(() => faulty(['lan-server'], { nat: 'none' })).toThrow(RangeError));
});

describe('dead addresses of a name', () => {
  it('come first, and nobody is there', async () => {
    const lab = faulty(['dead-first-address']);
    const found = await lab.run(async (env) => {
      const addresses = await env.resolver.addresses('stun.example.net', undefined);
      return [addresses, await Promise.all(addresses.map((address) => seenBy(env, at(address))))];
    });
    expect(found).toEqual([
      ['40.30.20.99', '40.30.20.10'],
      [undefined, '12.13.14.15:24605'],
    ]);
  });

  it('of IPv6 alone', async () => {
    const lab = faulty(['dead-ipv6']);
    const found = await lab.run(async (env) => {
      const addresses = await env.resolver.addresses('stun.example.net', 6);
      return [addresses, await seenBy(env, at(addresses[0] ?? ''))];
    });
    expect(found).toEqual([['2001:db8:40::99'], undefined]);
  });
});

describe('a split route', () => {
  it('shows one server another public side, by another interface', async () => {
    const lab = faulty(['split-route'], { nat: 'full-cone' });
    const result = await lab.run(async (env) => {
      const socket = await env.udp.open({ family: 4, remote: at('40.30.20.11') });
      const { local } = socket;
      socket.close();
      return {
        local: local.address,
        interfaces: env.interfaces().map(({ name, address }) => `${name} ${address}`),
        first: await seenBy(env, at('40.30.20.10')),
        second: await seenBy(env, at('40.30.20.11')),
      };
    });
    expect(result).toEqual({
      local: '10.8.0.2',
      interfaces: ['lo 127.0.0.1', 'lo ::1', 'eth0 192.168.1.3', 'tun0 10.8.0.2'],
      first: '12.13.14.15:24604',
      second: '32.33.34.35:24604',
    });
    expect(lab.table('V').map((row) => row.private.split(':')[0])).toEqual(['10.8.0.2']);
  });

  it('has a NAT of its own choice, and works from the open internet', async () => {
    const lab = createLab({
      nat: 'none',
      splitRoute: { to: ['40.30.20.11'], nat: 'symmetric,ports=sequential:2:5000' },
    });
    const seen = await lab.run((env) => seenBy(env, at('40.30.20.11')));
    expect(seen).toBe('32.33.34.35:5000');
  });
});

describe('refused sends', () => {
  const kinds = (fault: LabFault, count: number) =>
    faulty([fault]).run(async (env) => {
      const socket = await env.udp.open({ family: 4 });
      const outcomes: string[] = [];
      for (let i = 0; i < count; i++) {
        await socket.send(Uint8Array.of(i), at('40.30.20.10')).then(
          () => outcomes.push('sent'),
          (error: unknown) => outcomes.push(error instanceof NetError ? `${error.kind} ${error.code}` : 'bug'),
        );
      }
      socket.close();
      return outcomes;
    });

  it('are every other one, or every third', async () => {
    expect(await kinds('refused-sends', 4)).toEqual(['sent', 'denied EPERM', 'sent', 'denied EPERM']);
    expect(await kinds('full-queue', 6)).toEqual(['sent', 'sent', 'other ENOBUFS', 'sent', 'sent', 'other ENOBUFS']);
  });

  it('are those of A alone, over all its sockets', async () => {
    const lab = createLab({ refusedSends: { every: 2 } });
    const outcomes = await lab.run(async (env) => {
      const seen: (string | undefined)[] = [];
      for (let i = 0; i < 4; i++) seen.push(await seenBy(env, at('40.30.20.10')));
      return [...seen, await seenBy(lab.host('B'), at('40.30.20.10'))];
    });
    expect(outcomes[1]).toBe('denied EPERM');
    expect(outcomes[3]).toBe('denied EPERM');
    expect(outcomes.filter((each) => each?.startsWith('denied'))).toHaveLength(2);
  });
});

describe('two public addresses, drawn for each flow', () => {
  it('show a socket at both, whatever its port', async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 8; seed++) {
      const lab = createLab({ nat: 'linux,pool=2:arbitrary', seed });
      await lab.run(async (env) => {
        const socket = await env.udp.open({ family: 4 });
        const answers: string[] = [];
        socket.listen({
          datagram: ({ data }) => answers.push(formatEndpoint(mappedAddress(decode(data)) as Endpoint)),
        });
        for (const address of ['40.30.20.10', '40.30.20.11']) {
          const transactionId = env.random.bytes(12);
          const data = encode({ class: 'request', method: METHOD.binding, transactionId, attributes: [] });
          await socket.send(data, at(address));
        }
        await sleep(env.clock, 200);
        socket.close();
        seen.add(answers.map((text) => text.split(':')[0]).join());
        expect(answers.map((text) => text.split(':')[1])).toEqual(['42301', '42301']);
      });
      expect(lab.truth.type).toBe('symmetric');
    }
    // The same twice, by luck, for about half of the seeds.
    expect(seen.size).toBeGreaterThan(2);
  });
});

describe('a NAT64', () => {
  const inside = <T>(main: (env: Env, lab: Lab) => Promise<T>, options: LabOptions = {}): Promise<T> => {
    const lab = faulty(['nat64'], options);
    return lab.run((env) => main(env, lab));
  };

  it('leaves the host IPv6 alone', async () => {
    const interfaces = await inside(async (env) => env.interfaces().filter(({ internal }) => !internal));
    expect(interfaces.map(({ address }) => address)).toEqual(['2001:db8:1::3']);
    expect(await inside((env) => seenBy(env, at('40.30.20.10')))).toBe('unreachable ENETUNREACH');
  });

  it('has a DNS64, which shows its prefix (RFC 7050)', async () => {
    const [names, arpa] = await inside(async (env) => [
      await env.resolver.addresses('stun.example.net', undefined),
      await env.resolver.addresses(IPV4_ONLY, 6),
    ]);
    expect(names).toEqual(['64:ff9b::281e:140a', '40.30.20.10']);
    expect(prefixesIn(arpa ?? []).map(({ length }) => length)).toEqual([96]);
    expect(arpa).toEqual(['64:ff9b::c000:aa', '64:ff9b::c000:ab']);
  });

  it('is nothing to the other hosts', async () => {
    const addresses = await inside((_, lab) => lab.host('B').resolver.addresses('stun.example.net', undefined));
    expect(addresses).toEqual(['40.30.20.10']);
  });

  it('translates to IPv4 and back: the server says the IPv4 side, from an address under the prefix', async () => {
    const to = at('64:ff9b::281e:140a');
    expect(await inside((env) => seenBy(env, to), { nat: 'full-cone' })).toBe('12.13.14.15:24604');
    // A connected socket hears it too: it comes from where it was sent.
    expect(await inside((env) => seenBy(env, to, to), { nat: 'symmetric' })).toBe('12.13.14.15:24604');
    const lab = faulty(['nat64']);
    await lab.run((env) => seenBy(env, to));
    expect(lab.table('N')).toEqual([
      { private: '[2001:db8:1::3]:42301', public: '12.13.14.15:24604', remote: '40.30.20.10:3478' },
    ]);
  });

  it('carries TCP, and the refusals of UDP', async () => {
    const outcome = await inside(async (env) => {
      const stream = await env.tcp.connect(at('64:ff9b::281e:140a'), {});
      const { remote } = stream;
      stream.close();
      const closed: Endpoint = { address: '64:ff9b::281e:140a', port: 9 };
      const socket = await env.udp.open({ family: 6, remote: closed });
      let kind = '';
      socket.listen({ datagram: () => {}, error: (error) => (kind = error.kind) });
      await socket.send(Uint8Array.of(1));
      await sleep(env.clock, 200);
      socket.close();
      return [formatEndpoint(remote), kind];
    });
    expect(outcome).toEqual(['[64:ff9b::281e:140a]:3478', 'refused']);
  });

  it('is a NAT with IPv6 inside, or no NAT64', () => {
    for (const options of [{ nat: 'none' }, { nat: 'firewall' }, { nat: 'cgnat' }, { ipv6: 'nat66' as const }])
      expect(() => createLab({ ...options, nat64: true }), JSON.stringify(options)).toThrow(RangeError);
  });
});
