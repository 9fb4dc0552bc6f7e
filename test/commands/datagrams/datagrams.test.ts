/** What listen and send do with bytes, apart from any network. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { datagramsOf, type Cutting } from '../../../src/commands/datagrams/input.ts';
import { DatagramOutput } from '../../../src/commands/datagrams/output.ts';
import { Listener } from '../../../src/commands/listen/listener.ts';
import type { Datagram, UdpSocket } from '../../../src/net/env.ts';
import { stillEnv } from '../../cli/harness.ts';
import {
  base64Of,
  glimpse,
  hexDump,
  joined,
  parseHex,
  sized,
  textOf,
} from '../../../src/commands/datagrams/payload.ts';

async function* pieces(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}
const bytes = (text: string): Uint8Array => Buffer.from(text);

async function cut(parts: readonly Uint8Array[], cutting: Cutting, most = 65_507): Promise<string[]> {
  const out: string[] = [];
  for await (const batch of datagramsOf(pieces(parts), cutting, most))
    out.push(...batch.map((each) => Buffer.from(each).toString('latin1')));
  return out;
}

const parts = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
const whole = (all: readonly Uint8Array[]): string => Buffer.concat(all).toString('latin1');

describe('cutting a stream into datagrams', () => {
  it('keeps every byte, in order, whichever way it is cut', async () => {
    const cuttings = fc.oneof(
      fc.constantFrom<Cutting>({ by: 'line' }, { by: 'arrival' }, { by: 'whole' }),
      fc.integer({ min: 1, max: 50 }).map((size): Cutting => ({ by: 'size', size })),
    );
    await fc.assert(
      fc.asyncProperty(parts, cuttings, async (all, cutting) => {
        expect((await cut(all, cutting)).join('')).toBe(whole(all));
      }),
    );
  });

  it('a line is a datagram with its line feed, wherever the pieces end', async () => {
    await fc.assert(
      fc.asyncProperty(parts, async (all) => {
        expect(await cut(all, { by: 'line' })).toEqual(whole(all).match(/[^\n]*\n|[^\n]+$/g) ?? []);
      }),
    );
  });

  it('a size is kept to, but for the rest', async () => {
    await fc.assert(
      fc.asyncProperty(parts, fc.integer({ min: 1, max: 20 }), async (all, size) => {
        const sizes = (await cut(all, { by: 'size', size })).map((each) => each.length);
        expect(sizes.slice(0, -1).every((each) => each === size)).toBe(true);
        expect(sizes.at(-1) ?? 1).toBeGreaterThan(0);
      }),
    );
  });

  it.each<[Cutting]>([[{ by: 'whole' }], [{ by: 'line' }]])(
    'what does not fit is an error, not a cut: %j',
    async (cutting) => {
      await expect(cut([bytes('12345'), bytes('678')], cutting, 7)).rejects.toMatchObject({
        name: 'NetError',
        kind: 'too-big',
      });
      await expect(cut([bytes('12345'), bytes('67')], cutting, 7)).resolves.toEqual(['1234567']);
    },
  );
});

describe('payloads for people', () => {
  it('hexadecimal digits, with what people put between them', () => {
    expect(parseHex('75:64 70', '--hex')).toEqual(Uint8Array.of(0x75, 0x64, 0x70));
    expect(parseHex('0xFFee', '--hex')).toEqual(Uint8Array.of(0xff, 0xee));
    expect(() => parseHex('0xf', '--hex')).toThrow('pairs of hexadecimal digits');
    expect(() => parseHex('zz', '--hex')).toThrow("got 'zz'");
  });

  it('base64 is RFC 4648’s', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (data) => {
        expect(base64Of(data)).toBe(Buffer.from(data).toString('base64'));
      }),
    );
  });

  it('text is text only if it is UTF-8 without control characters', () => {
    expect(textOf(bytes('udp höle\n'))).toBe('udp höle\n');
    expect(textOf(Uint8Array.of(0xff))).toBeUndefined();
    expect(textOf(bytes('\u001b[2J'))).toBeUndefined();
  });

  it('a glimpse is one line and cannot steer the terminal', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.string().map(bytes)), (data) => {
        expect(glimpse(data)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
      }),
    );
    expect(glimpse(bytes('udp hole\n'))).toBe('udp hole');
    expect(glimpse(bytes('a\nb'))).toBe('a\\nb');
    expect(glimpse(Uint8Array.of(0, 255))).toBe('0x00ff');
  });

  it('a dump is that of hexdump -C', () => {
    expect(hexDump(bytes('0123456789abcdefgh\n'))).toBe(
      [
        '00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|',
        '00000010  67 68 0a                                          |gh.|',
      ].join('\n'),
    );
  });

  it('a size repeats or cuts the data', () => {
    expect(sized(bytes('abc'), 7)).toEqual(new Uint8Array(bytes('abcabca')));
    expect(sized(undefined, 2)).toEqual(new Uint8Array(2));
    expect(sized(bytes('abc'), 0)).toHaveLength(0);
  });
});

describe('what a flood does', () => {
  const datagram = (port: number): Datagram => ({
    data: new Uint8Array(0),
    from: { address: '192.0.2.1', port },
    at: 0,
  });
  const never = { write: () => new Promise<void>(() => {}) };

  it('nothing to the memory, when standard output is not read: even empty datagrams are dropped in the end', () => {
    const output = new DatagramOutput(
      { env: stillEnv, io: { stdout: never } as never, emit: () => never.write() },
      'events',
      false,
    );
    for (let i = 0; i < 100_000; i++) output.put(datagram(1));
    expect(output.dropped).toBeGreaterThan(30_000);
  });

  it('many senders are counted, and only so many told apart', () => {
    const output = new DatagramOutput({ env: stillEnv, io: {} as never, emit: async () => {} }, 'events', false);
    const listener = new Listener({ keepListening: true, echo: undefined, count: undefined }, output, () => {}, 0);
    for (let port = 1; port <= 20_000; port++) listener.hear({} as UdpSocket, datagram(port));
    expect(listener.datagrams).toBe(20_000);
    expect(listener.tallies.size).toBe(10_000);
  });
});

it('parts are joined in their order', () => {
  fc.assert(
    fc.property(parts, (all) => {
      expect(Buffer.from(joined(all)).toString('latin1')).toBe(whole(all));
    }),
  );
});
