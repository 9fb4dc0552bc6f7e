import { describe, expect, it } from 'vitest';
import {
  BUILT_IN_BROKERS,
  BrokerNameError,
  brokerEndpoints,
  formatBroker,
  parseBroker,
} from '../../../src/connect/signalling/broker-name.ts';

describe('a broker by name', () => {
  it.each([
    ['mqtts://broker.example.net', { host: 'broker.example.net', port: 8883, secure: true }],
    ['mqtt://10.0.0.1', { host: '10.0.0.1', port: 1883, secure: false }],
    ['MQTTS://[2001:db8::1]:443/', { host: '2001:db8::1', port: 443, secure: true }],
  ])('%s', (text, expected) => {
    expect(parseBroker(text)).toEqual(expected);
    expect(parseBroker(formatBroker(parseBroker(text)))).toEqual(expected);
  });

  it.each(['broker.example.net', 'http://x', 'mqtt://', 'mqtt://x:0', 'mqtt://x/topic', 'mqtt://x?y', 'mqtt://a b'])(
    'is not %j',
    (text) => {
      expect(() => parseBroker(text)).toThrow(BrokerNameError);
    },
  );

  it('holds no login, and an error does not repeat one', () => {
    expect(() => parseBroker('mqtts://me:secret@broker.example.net')).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    );
  });

  it('the built-in ones are all with TLS', () => {
    expect(BUILT_IN_BROKERS.map(parseBroker).every(({ secure }) => secure)).toBe(true);
  });

  it('stands at its addresses, both families in turn', async () => {
    const resolver = { addresses: async () => ['10.0.0.1', '10.0.0.2', '2001:db8::1'] };
    const found = await brokerEndpoints(resolver, parseBroker('mqtt://b.example.net'), new AbortController().signal);
    expect(found.map(({ address }) => address)).toEqual(['10.0.0.1', '2001:db8::1', '10.0.0.2']);
  });
});
