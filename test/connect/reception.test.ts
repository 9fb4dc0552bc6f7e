import { describe, expect, it } from 'vitest';
import { Sealer } from '../../src/connect/channel/envelope.ts';
import type { Peer } from '../../src/connect/peer.ts';
import { Reception } from '../../src/connect/reception.ts';
import type { Endpoint } from '../../src/net/address.ts';
import { encodeBinding } from '../../src/stun/binding.ts';
import { decode, type MessageClass } from '../../src/stun/message.ts';

const THERE: Endpoint = { address: '22.23.24.25', port: 7 };
const ELSEWHERE: Endpoint = { address: '22.23.24.25', port: 8 };

function reception(over: { aheadMs?: number; path?: Endpoint; only?: Endpoint; own?: boolean; direct?: boolean } = {}) {
  const log: string[] = [];
  const peer = {
    isRelayed: ({ port }: Endpoint) => port === ELSEWHERE.port,
    agent: {
      feed: ({ kind, socket }: { kind: string; socket: number }) => log.push(`${kind} ${socket}`),
      stop: () => {},
    },
    channel: { receive: (_: Uint8Array, at: number) => log.push(`envelope at ${at}`) },
  } as unknown as Peer;
  const of = new Reception({
    signalling: {
      accept: () => over.own === true,
      refresh: () => log.push('refresh'),
    } as unknown as ConstructorParameters<typeof Reception>[0]['signalling'],
    hard: { only: () => over.only } as unknown as ConstructorParameters<typeof Reception>[0]['hard'],
    governor: { aheadMs: over.aheadMs ?? 0 } as ConstructorParameters<typeof Reception>[0]['governor'],
    isRelay: () => false,
    ofRelay: () => false,
    direct: over.direct ?? false,
    path: { current: over.path && { remote: over.path }, heard: () => {} } as unknown as ConstructorParameters<
      typeof Reception
    >[0]['path'],
  });
  const hear = (kind: MessageClass, from = THERE, socket = 1): void => {
    const data = encodeBinding(kind, new Uint8Array(12));
    of.heard(socket, { data, from, at: 5 }, decode(data));
  };
  return { of, peer, log, hear };
}

describe('forged packets', () => {
  it('get to the cipher a hundred times a second at most, wherever they come from; those of the peer always do', () => {
    const opened: string[] = [];
    const peer = {
      isRelayed: () => false,
      channel: {
        receive: (data: Uint8Array) => {
          opened.push(data.at(-1) === 1 ? 'the peer' : 'forged');
          return data.at(-1) === 1;
        },
      },
    } as unknown as Peer;
    const { of } = reception({ path: THERE });
    of.meet(peer);
    const packet = (mine: boolean): Uint8Array =>
      Uint8Array.from({ length: 40 }, (_, i) => (i === 0 ? 0xce : i === 39 && mine ? 1 : 0));
    const moved: Endpoint = { address: '22.23.24.25', port: 9 };
    // The peer has moved, and is heard there once.
    of.heard(1, { data: packet(true), from: moved, at: 0 }, undefined);
    const stranger = (i: number): Endpoint => ({ address: `66.0.${i % 256}.1`, port: 1 + (i % 60_000) });
    for (let i = 0; i < 20_000; i++) {
      const at = i / 20;
      of.heard(1, { data: packet(false), from: stranger(i), at }, undefined);
      if (i % 100 === 0) of.heard(1, { data: packet(true), from: i % 200 ? THERE : moved, at }, undefined);
    }
    expect(opened.filter((each) => each === 'forged').length).toBeLessThanOrEqual(200);
    expect(opened.filter((each) => each === 'the peer')).toHaveLength(201);
  });
});

describe('what a session hears', () => {
  it('goes to the signalling where it is its own, and nowhere else', () => {
    const { of, peer, log, hear } = reception({ own: true });
    of.meet(peer);
    hear('success');
    expect(log).toEqual([]);
  });

  it('goes to the channel where it is an envelope, and is dropped where it is nothing', () => {
    const { of, peer, log } = reception();
    const envelope = new Sealer(new Uint8Array(32)).seal(0, new Uint8Array(3));
    of.heard(1, { data: envelope, from: THERE, at: 4 }, undefined);
    of.meet(peer);
    of.heard(1, { data: envelope, from: THERE, at: 5 }, undefined);
    of.heard(1, { data: Uint8Array.of(9), from: THERE, at: 6 }, undefined);
    expect(log).toEqual(['envelope at 5']);
  });

  it('is not listened to where it comes by a relay and none may be used', () => {
    const { of, peer, log, hear } = reception({ direct: true });
    of.meet(peer);
    hear('request', ELSEWHERE);
    hear('request');
    expect(log).toEqual(['datagram 1']);
  });

  it('waits for the peer to be known, thirty-two checks at most, and its news is asked for', () => {
    const { of, peer, log, hear } = reception();
    for (let i = 0; i < 40; i++) hear('request', THERE, i);
    hear('success');
    expect(log).toEqual(Array.from({ length: 40 }, () => 'refresh'));
    log.length = 0;
    of.meet(peer);
    expect(log).toEqual(Array.from({ length: 32 }, (_, i) => `datagram ${i}`));
    hear('request', THERE, 7);
    expect(log.at(-1)).toBe('datagram 7');
  });

  it('on a socket for one endpoint is that one’s alone, at any rate', () => {
    const { of, peer, log, hear } = reception({ only: THERE, aheadMs: 500 });
    of.meet(peer);
    hear('request', ELSEWHERE);
    hear('request', THERE);
    expect(log).toEqual(['datagram 1']);
  });

  it('is left out where it would have us send too much: checks that are not on the path', () => {
    const { of, peer, log, hear } = reception({ aheadMs: 41, path: THERE });
    of.meet(peer);
    hear('request', ELSEWHERE, 1);
    hear('request', THERE, 2);
    hear('success', ELSEWHERE, 3);
    expect(log).toEqual(['datagram 2', 'datagram 3']);
    const calm = reception({ aheadMs: 40 });
    calm.of.meet(calm.peer);
    calm.hear('request', ELSEWHERE);
    expect(calm.log).toEqual(['datagram 1']);
  });
});
