import { describe, expect, it } from 'vitest';
import { RendezvousClient } from '../../src/rendezvous/client.ts';
import { encodeState, type RoomState } from '../../src/rendezvous/protocol.ts';
import { decodeRelay, encodeRelay, offerOf, type RelayGrant } from '../../src/rendezvous/relay.ts';
import { seededRandom } from '../../src/lab/random.ts';
import type { Attribute } from '../../src/stun/attributes.ts';
import { encodeBinding } from '../../src/stun/binding.ts';
import { decode, encode, METHOD } from '../../src/stun/message.ts';
import { bytes, endpoints, one } from './wire.ts';

const grant: RelayGrant = {
  secret: bytes(16, 9),
  servers: [
    { transport: 'udp', endpoint: { address: '0.0.0.0', port: 3478 } },
    { transport: 'tcp', endpoint: { address: '40.30.20.10', port: 3478 } },
    { transport: 'tls', endpoint: { address: '2001:db8::1', port: 443 } },
  ],
};
const carried = (attribute: Attribute) =>
  decode(encode({ class: 'success', method: METHOD.binding, transactionId: bytes(12, 1), attributes: [attribute] }));

describe('the offer of a relay', () => {
  it('comes back as it was', () => expect(decodeRelay(carried(encodeRelay(grant)))).toEqual(grant));

  it('makes a login that names room and member, at the address that was asked where none is told', () => {
    const offer = offerOf(grant, bytes(16, 1), one, endpoints.A1P1);
    expect(offer.username).toBe(`meeting:${Buffer.concat([bytes(16, 1), one]).toString('base64url')}`);
    expect(offer.password).toBe(Buffer.from(bytes(16, 9)).toString('base64url'));
    expect(offer.servers.map(({ endpoint }) => endpoint.address)).toEqual([
      endpoints.A1P1.address,
      '40.30.20.10',
      '2001:db8::1',
    ]);
  });

  it('is none where it is cut short, of another version, or names nothing known', () => {
    const { value } = encodeRelay(grant) as { value: Uint8Array };
    const type = 0xc7a8;
    for (let length = 0; length < value.length; length++)
      expect(decodeRelay(carried({ name: undefined, type, value: value.subarray(0, length) }))).toBeUndefined();
    expect(
      decodeRelay(carried({ name: undefined, type, value: Uint8Array.from([2, ...value.subarray(1)]) })),
    ).toBeUndefined();
    const unknown = Uint8Array.from([1, ...bytes(16, 9), 1, 7, 4, 1, 2, 3, 4, 0, 1]);
    expect(decodeRelay(carried({ name: undefined, type, value: unknown }))).toBeUndefined();
  });
});

describe('a client', () => {
  const state: RoomState = { status: 'waiting', stored: 1, cookie: bytes(8, 5), alternates: [], peer: undefined };
  const start = () => {
    const options = { server: endpoints.A1P1, room: bytes(16, 1), member: one, random: seededRandom(1, 'relay') };
    const client = new RendezvousClient(options);
    const asked = client.handle({ kind: 'publish', payload: bytes(1, 1) }, 0);
    return { client, asked };
  };
  const hear = ({ client, asked }: ReturnType<typeof start>, kind: 'success' | 'indication', more: Attribute[]) => {
    const [sent] = asked.flatMap((action) => (action.kind === 'send' ? [decode(action.data)] : []));
    const data = encodeBinding(kind, sent?.transactionId ?? bytes(12, 0), [encodeState(state), ...more]);
    const event = { kind: 'message', message: decode(data), from: endpoints.A1P1, at: 1 } as const;
    return client.handle(event, 1).filter((action) => action.kind === 'relay');
  };

  it('tells of it once', () => {
    const here = start();
    expect(hear(here, 'success', [encodeRelay(grant)])).toEqual([
      { kind: 'relay', offer: offerOf(grant, bytes(16, 1), one, endpoints.A1P1) },
    ]);
    expect(hear(here, 'success', [encodeRelay(grant)])).toEqual([]);
    const other = { ...grant, secret: bytes(16, 8) };
    expect(hear(here, 'success', [encodeRelay(other)])).toHaveLength(1);
  });

  it('knows of none where the server knows of none, and believes no push', () => {
    expect(hear(start(), 'success', [])).toEqual([]);
    expect(hear(start(), 'indication', [encodeRelay(grant)])).toEqual([]);
  });
});
