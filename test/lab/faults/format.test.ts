import { describe, expect, it } from 'vitest';
import { attribute } from '../../../src/stun/attributes.ts';
import { get, mappedAddress } from '../../../src/stun/message.ts';
import { answerOf, ask } from './ask.ts';

const SEEN = { address: '12.13.14.15', port: 24_604 };

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('an answer that breaks the format', () => {
  it('changed-address-family-0: the attribute has no address, the rest is right', async () => {
    const { data, lenient } = await answerOf('changed-address-family-0');
    expect(hex(data)).toContain('0005000800000d9600000000');
    expect(lenient && get(lenient, 'XOR-MAPPED-ADDRESS')).toEqual(SEEN);
  });

  it('empty-mapped-address: no bytes in it, and the right one beside it', async () => {
    const { data, lenient } = await answerOf('empty-mapped-address');
    expect(hex(data.subarray(20, 24))).toBe('00010000');
    expect(lenient && get(lenient, 'XOR-MAPPED-ADDRESS')).toEqual(SEEN);
  });

  it('unpadded: the length is what it is, and no multiple of four', async () => {
    const { data, message, lenient } = await answerOf('unpadded');
    expect(data.length % 4).not.toBe(0);
    expect(new DataView(data.buffer, data.byteOffset).getUint16(2)).toBe(data.length - 20);
    expect(message).toBeUndefined();
    expect(lenient && [get(lenient, 'SOFTWARE'), mappedAddress(lenient)]).toEqual(['lab-7', SEEN]);
  });

  it('trailing-zeros: eight bytes past the length that the header states', async () => {
    const { data, lenient } = await answerOf('trailing-zeros');
    expect(new DataView(data.buffer, data.byteOffset).getUint16(2)).toBe(data.length - 28);
    expect(data.subarray(-8)).toEqual(new Uint8Array(8));
    expect(lenient && mappedAddress(lenient)).toEqual(SEEN);
  });
});

describe('change-request-only', () => {
  const faults = ['change-request-only'] as const;

  it('is silent to a plain request', async () => expect((await ask({ faults }, [])).answers).toEqual([]));

  it('answers one with a CHANGE-REQUEST, also where it asks for no change, in the attributes of RFC 3489', async () => {
    const { answers } = await ask({ faults }, [attribute('CHANGE-REQUEST', { ip: false, port: false })]);
    expect(answers.map(({ message }) => message?.attributes.map(({ name }) => name))).toEqual([
      ['MAPPED-ADDRESS', 'SOURCE-ADDRESS', 'CHANGED-ADDRESS'],
    ]);
    expect(answers[0]?.message && mappedAddress(answers[0].message)).toEqual(SEEN);
    const changed = await ask({ faults }, [attribute('CHANGE-REQUEST', { ip: true, port: true })]);
    expect(changed.answers.map(({ from }) => from)).toEqual(['40.30.20.11:3479']);
  });
});
