/** Bytes that a stranger sends, each input by itself: DNS, HTTP, STUN over a stream, STUN requests, sealed packets. */
import { isDeepStrictEqual } from 'node:util';
import { Opener, Sealer } from '../../../src/connect/channel/envelope.ts';
import {
  decodeQuery,
  decodeResponse,
  DnsFormatError,
  encodeQuery,
  encodeResponse,
} from '../../../src/net/dns/message.ts';
import { HttpFormatError, HttpReader } from '../../../src/net/http/response.ts';
import { seededRandom } from '../../../src/lab/random.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { Deframer } from '../../../src/stun/framing.ts';
import { StunFormatError } from '../../../src/stun/message.ts';
import { createStunServer, respond, type ServerPacket } from '../../../src/stun/server.ts';
import { demand, type Target, takes, text } from '../target.ts';

const bytesOf = (...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

const QUESTION = { name: 'myip.example.net', type: 'TXT' } as const;
const QUERY = encodeQuery(0x1234, QUESTION);
/** An answer to the query with so many records announced, and these bytes for them. */
const answering = (records: number, rest: readonly number[]): Uint8Array =>
  bytesOf([0x12, 0x34, 0x81, 0x80, 0, 1, records >> 8, records & 255, 0, 0, 0, 0], QUERY.subarray(12), rest);
const repeat = (part: readonly number[], times: number): number[] => Array(Math.floor(times)).fill(part).flat();

export const dns: Target = {
  name: 'dns',
  seeds: [
    encodeResponse(0x1234, QUESTION, ['12.13.14.15', 'x'.repeat(255)]),
    answering(3, [
      ...[0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 0, 0, 4, 1, 97, 0xc0, 12],
      ...[1, 98, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 12, 13, 14, 15],
      ...[0, 0, 28, 0, 1, 0, 0, 0, 0, 0, 16, ...new Uint8Array(16)],
    ]),
    bytesOf([0x12, 0x34, 0x81, 0x85, 0, 0, 0, 0, 0, 0, 0, 0]),
  ],
  run: (input) =>
    takes(() => {
      decodeQuery(input);
      const response = decodeResponse(input, QUERY);
      demand(response === undefined || response.answers.length <= input.length / 11, 'as many answers as fit');
      if (!response) throw new DnsFormatError('another question');
    }, DnsFormatError),
  large: (size) => [
    answering(size / 12, repeat([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 0, 0, 0], size / 12)),
    answering(size / 12, repeat([0xc0, 0x1e, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0], size / 12)),
    answering(1, [0, 0, 16, 0, 1, 0, 0, 0, 0, size >> 8, size & 255, ...repeat([0], size)]),
    answering(1, [0, 0, 16, 0, 1, 0, 0, 0, 0, size >> 8, size & 255, ...repeat([1, 97], size / 2)]),
    answering(size / 250, repeat([...repeat([1, 97], 119), 0, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0], size / 250)),
    bytesOf(QUERY.subarray(0, 12), repeat([1, 97], size / 2)),
  ],
};

const HEAD = 'HTTP/1.1 200 OK\r\n';

/** What comes of it, in so large pieces. */
function readHttp(input: Uint8Array, piece: number): string {
  const reader = new HttpReader();
  try {
    for (let at = 0; at < input.length; at += piece) {
      const response = reader.push(input.subarray(at, at + piece));
      if (response) return JSON.stringify([response.status, response.body]);
    }
    return JSON.stringify(reader.push(new Uint8Array(), true)?.body);
  } catch (error) {
    if (error instanceof HttpFormatError) return '';
    throw error;
  }
}

export const http: Target = {
  name: 'http',
  seeds: [
    text(`${HEAD}Content-Length: 12\r\n\r\n12.13.14.15\n`),
    text(`${HEAD}Server: x\r\n\r\n12.13.14.15\n`),
    text(`${HEAD}Transfer-Encoding: chunked\r\n\r\n4;a=b\r\n12.1\r\n8\r\n3.14.15\n\r\n0\r\n\r\n`),
    text(`HTTP/1.1 103 Early Hints\r\nLink: y\r\n\r\n${HEAD}content-length:2\r\n\r\nhi`),
  ],
  words: [
    '\r\n',
    '\n',
    '\r',
    '\r\n\r\n',
    ': ',
    ' ',
    HEAD,
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'ffffff',
    '0',
  ],
  run: (input) => {
    const whole = readHttp(input, input.length + 1);
    demand(readHttp(input, 1) === whole && readHttp(input, 7) === whole, 'the same however it is cut');
    return whole !== '';
  },
  large: (size) => [
    text(`${HEAD}a:${' '.repeat(size)}\n\r\n`),
    text(`${HEAD}${'a: b\r\n'.repeat(size / 6)}`),
    text('HTTP/1.1 100 Continue\r\n\r\n'.repeat(size / 25)),
    text(`${HEAD}Transfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(size / 6)}`),
    text(`${HEAD}\r\n${'x'.repeat(size)}`),
    text('\r'.repeat(size)),
  ],
};

const ID = Uint8Array.from({ length: 12 }, (_, i) => i);
const BINDING = encodeBinding('request', ID);
const requests: readonly Uint8Array[] = [
  BINDING,
  encodeBinding('request', ID, [attribute('CHANGE-REQUEST', { ip: true, port: true })], { fingerprint: true }),
  encodeBinding('request', ID, [attribute('RESPONSE-PORT', 2000), attribute('SOFTWARE', 'x'.repeat(60))]),
  encodeBinding('request', ID, [attribute('PADDING', new Uint8Array(200))]),
  encodeBinding('request', ID, [attribute('USERNAME', 'a'), attribute('NONCE', 'b')], { key: text('k') }),
  encodeBinding('request', new Uint8Array(16)),
];

function deframed(input: Uint8Array, piece: number): Uint8Array[] | undefined {
  const deframer = new Deframer();
  const messages: Uint8Array[] = [];
  try {
    for (let at = 0; at < input.length; at += piece) messages.push(...deframer.push(input.subarray(at, at + piece)));
    return messages;
  } catch (error) {
    if (error instanceof StunFormatError) return undefined;
    throw error;
  }
}

export const framing: Target = {
  name: 'framing',
  seeds: [bytesOf(...requests), BINDING],
  run: (input) => {
    const whole = deframed(input, input.length + 1);
    demand(isDeepStrictEqual(deframed(input, 1), whole), 'the same however it is cut');
    return whole !== undefined;
  },
  large: (size) => [
    bytesOf([0, 1, 0xff, 0xfc], new Uint8Array(size)),
    bytesOf(...repeat([1], size / 20).map(() => BINDING)),
  ],
};

const random = seededRandom(1, 'fuzz');
const unlimited = { perSecond: Number.POSITIVE_INFINITY, burst: 1 };
const FOUR = {
  A1P1: { address: '192.0.2.1', port: 3478 },
  A1P2: { address: '192.0.2.1', port: 3479 },
  A2P1: { address: '192.0.2.2', port: 3478 },
  A2P2: { address: '192.0.2.2', port: 3479 },
};
const SOFTWARE = 'ä'.repeat(127);
const servers = [
  createStunServer({ endpoints: FOUR, random, limit: unlimited, software: SOFTWARE }),
  createStunServer({ endpoints: { A1P1: FOUR.A1P1 }, random, limit: unlimited, software: SOFTWARE }),
];
const SOURCES = ['203.0.113.7', '2001:db8::7', '::ffff:203.0.113.7', 'fe80::1%eth0'];
/** The longest answer to a bare request of that source. */
const PLAIN = 120;

export const server: Target = {
  name: 'server',
  seeds: requests,
  run: (input) => {
    let answered = false;
    for (const [i, each] of servers.entries()) {
      for (const transport of ['udp', 'tcp'] as const) {
        const from = { address: SOURCES[(input.length + i) % SOURCES.length] as string, port: 40_000 };
        const packet: ServerPacket = { role: 'A1P1', from, data: input, now: 0, transport };
        const before = { ...each.counters };
        const answer = respond(each, packet);
        const { received, ...rest } = each.counters;
        const sum = (of: Record<string, number>) => Object.values(of).reduce((total, count) => total + count, 0);
        demand(received === before.received + 1, 'each packet is received once');
        demand(sum(rest) === received, 'each packet becomes one thing');
        if (!answer) continue;
        answered = true;
        demand(answer.to.address === from.address, 'an answer goes to who asked');
        demand(transport === 'tcp' || answer.data.length <= Math.max(PLAIN, input.length), 'no amplification');
      }
    }
    return answered;
  },
  large: (size) => [
    encodeBinding('request', ID, [attribute('PADDING', new Uint8Array(size))]),
    encodeBinding(
      'request',
      ID,
      Array.from({ length: size / 4 }, (_, i) => ({ name: undefined, type: 0x4000 + i, value: new Uint8Array() })),
    ),
    encodeBinding(
      'request',
      ID,
      Array.from({ length: size / 8 }, () => attribute('RESPONSE-PORT', 2000)),
    ),
  ],
};

const KEY = new Uint8Array(32).fill(7);
const sealed = (() => {
  const sealer = new Sealer(KEY);
  return [text(''), text('hello'), new Uint8Array(1200)].map((body, i) => sealer.seal(i, body));
})();

export const envelope: Target = {
  name: 'envelope',
  seeds: sealed,
  run: (input) => {
    const opener = new Opener(KEY);
    const opened = opener.open(input);
    if (!opened) return false;
    demand(
      sealed.some((each) => Buffer.compare(each, input) === 0),
      'only what was sealed is opened',
    );
    demand(opener.open(input) === undefined, 'nothing is opened twice');
    return true;
  },
  large: (size) => [bytesOf([0xce], new Uint8Array(size)), bytesOf(sealed[2] ?? [], new Uint8Array(size))],
};
