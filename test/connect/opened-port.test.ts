import { describe, expect, it } from 'vitest';
import { OpenedPort } from '../../src/connect/opened-port.ts';
import { type Endpoint, formatEndpoint } from '../../src/net/address.ts';
import type { HeldMapping } from '../../src/portmap/mapper.ts';
import type { PortNews, RouterPort } from '../../src/portmap/router-port.ts';

const open = (address: string | undefined, port = 12_001): PortNews => ({
  kind: 'open',
  mapping: { protocol: 'upnp', public: { address, port }, lifetimeS: 7_200 } as HeldMapping,
});

/** What the peer is told, and what is noted, as the router says one thing after the other. */
function told(...all: readonly (PortNews | Endpoint)[]): { readonly peer: string[]; readonly noted: unknown[] } {
  const peer: string[] = [];
  const noted: unknown[] = [];
  let seen: Endpoint | undefined;
  let hear: (news: PortNews) => void = () => {};
  const opened = new OpenedPort({
    reflexive: () => seen,
    tell: (mapped) => peer.push(mapped === undefined ? 'none' : mapped === 'asked' ? mapped : formatEndpoint(mapped)),
    note: (event, { answer, type }) => noted.push(answer ?? type ?? event),
  });
  const routerPort = {
    open: (_: unknown, tell: typeof hear) => {
      hear = tell;
      return () => {};
    },
  };
  opened.ask(routerPort as unknown as RouterPort, { transport: 'udp', internalPort: 12_001 });
  for (const each of all) {
    if ('kind' in each) hear(each);
    else {
      seen = each;
      opened.sighted();
    }
  }
  expect(peer.shift()).toBe('asked');
  return { peer, noted };
}

describe('a port that the router opened', () => {
  it('is told to the peer once, and again when it has changed', () => {
    expect(told(open('12.13.14.15'), open('12.13.14.15'), open('12.13.14.15', 7))).toEqual({
      peer: ['12.13.14.15:12001', '12.13.14.15:7'],
      noted: ['opened', 'mapped', 'opened', 'opened', 'mapped'],
    });
  });

  it.each(['192.168.0.7', '10.1.2.3', '100.64.1.20', '169.254.1.1', '0.0.0.0', '127.0.0.1', '239.1.2.3', 'fd00::1'])(
    'is of no use at %s',
    (address) => {
      expect(told(open(address)).peer).toEqual(['none']);
      expect(told(open('12.13.14.15'), open(address)).peer).toEqual(['12.13.14.15:12001', 'none']);
    },
  );

  it('is where servers see this host, when the router does not tell its address', () => {
    const seen = { address: '12.13.14.15', port: 24_604 };
    expect(told(open(undefined), seen).peer).toEqual(['12.13.14.15:12001']);
    expect(told(seen, open(undefined)).peer).toEqual(['12.13.14.15:12001']);
  });

  it('is taken back when the router has lost it', () => {
    const lost: PortNews = { kind: 'lost', refusal: { kind: 'silent', protocol: 'upnp' } };
    expect(told(open('12.13.14.15'), lost, open('12.13.14.15')).peer).toEqual([
      '12.13.14.15:12001',
      'none',
      '12.13.14.15:12001',
    ]);
    expect(told(lost, { kind: 'left', refusal: lost.refusal })).toEqual({ peer: ['none'], noted: ['lost', 'left'] });
  });

  it('that there is none is noted, and nothing told', () => {
    const none = (refusals: readonly { kind: 'not-authorized'; protocol: 'pcp' }[], address?: string): PortNews => ({
      kind: 'none',
      why: {
        mapping: undefined,
        router: address === undefined ? undefined : { address, local: '192.168.1.3', interface: 'eth0' },
        refusals,
        oddities: [],
      },
    });
    expect(told(none([]))).toEqual({ peer: ['none'], noted: ['none'] });
    expect(told(none([], '192.168.1.1')).noted).toEqual(['none']);
    expect(told(none([{ kind: 'not-authorized', protocol: 'pcp' }], '192.168.1.1'))).toEqual({
      peer: ['none'],
      noted: ['refused'],
    });
  });
});
