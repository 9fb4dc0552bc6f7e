/** DTLS connections that hear anything: a handshake that is always the same, spoilt, and records that the peer has sealed with anything in them. */
import type { DtlsEvent } from '../../../src/dtls/api.ts';
import { Reader } from '../../../src/dtls/bytes.ts';
import { acceptCertificate } from '../../../src/dtls/certificate.ts';
import { DtlsConnection } from '../../../src/dtls/connection.ts';
import { Writing } from '../../../src/dtls/epochs.ts';
import { DtlsError } from '../../../src/dtls/error.ts';
import { encodeMessage, Fragments, MESSAGE_HEADER } from '../../../src/dtls/fragments.ts';
import {
  clientHello,
  HANDSHAKE,
  readCertificate,
  readCertificateRequest,
  readClientHello,
  readClientKeyExchange,
  readServerHello,
  readServerKeyExchange,
  readSignature,
} from '../../../src/dtls/messages.ts';
import type { Role } from '../../../src/dtls/prf.ts';
import { CONTENT, encodeRecord, recordsOf } from '../../../src/dtls/record.ts';
import { optionsOf, record } from '../../dtls/recorded.ts';
import { inBytes, stepsOf } from '../steps.ts';
import { demand, type Target, takes, text } from '../target.ts';

const RECORDED = record();
/** Datagrams that one event or wake may cause: a flight, and an alert. */
const MOST_ANSWERS = 4;
/** Milliseconds of a time step: 40 times its argument. */
const STEP_MS = 40;

const message = (type: number, sequence: number, body = new Uint8Array()): Uint8Array =>
  encodeMessage({ type, sequence, body });
const plain = (type: number, body: Uint8Array): Uint8Array => encodeRecord({ type, epoch: 0, sequence: 9, body });

/** Steps: 0 a datagram, 1 a record that nobody sealed, 2 time, 3 a sealed record, 4 what its own side does; the argument of 1 and 3 is the type of content. */
function target(role: Role): Target {
  const peer: Role = role === 'client' ? 'server' : 'client';
  const theirs = RECORDED.datagrams[peer].map((datagram) => [0, 0, datagram] as const);
  const reversed = theirs.toReversed();
  const random = optionsOf(role);
  const life = (...more: readonly (readonly [number, number, Uint8Array?])[]) => inBytes(...theirs, ...more);
  return {
    name: `dtls-${role}`,
    // Keys and signatures.
    cost: 20,
    seeds: [
      life([3, CONTENT.data, text('hello')], [4, 0], [2, 99]),
      life([3, CONTENT.alert, Uint8Array.of(1, 0)]),
      life([3, CONTENT.handshake, message(1, 9)], [3, CONTENT.handshake, message(0, 9)], [3, CONTENT.data, text('x')]),
      life([3, CONTENT.alert, Uint8Array.of(2, 40)]),
      inBytes([2, 200], ...theirs, ...reversed, [3, CONTENT.data, text('again')], [4, 1]),
      inBytes(...theirs.flatMap((each) => [each, [2, 3] as const, each])),
      ...RECORDED.datagrams[peer].map((_, cut) => inBytes(...theirs.slice(0, cut), [2, 50], ...theirs)),
    ],
    run: (input) => {
      const connection = new DtlsConnection({ ...random, ...optionsOf(role) });
      const writing = new Writing();
      writing.key = RECORDED.keys[peer];
      // What the peer sealed in the handshake itself came first.
      for (let nth = 0; nth < 4; nth++) writing.encode(CONTENT.alert, 1, new Uint8Array());
      let [now, up, over, wakes] = [0, false, false, 0];
      const carry = (event?: DtlsEvent): void => {
        const actions = event ? connection.handle(event, now) : connection.wake(now);
        demand(actions.length <= MOST_ANSWERS + 17, 'it does little at a time');
        demand(actions.filter(({ kind }) => kind === 'transmit').length <= MOST_ANSWERS, 'it answers within bounds');
        for (const action of actions) {
          demand(!over, 'nothing comes after the end');
          if (action.kind === 'connected') {
            demand(!up, 'it connects once');
            up = true;
          } else if (action.kind === 'data') demand(up, 'nothing is heard of a peer that is not proven');
          else if (action.kind === 'transmit') demand(action.data.length <= 1_200, 'datagrams pass every path');
          else over = true;
        }
      };
      carry({ kind: 'start' });
      for (const { op, argument, body } of stepsOf(input)) {
        if (op % 5 === 0) carry({ kind: 'datagram', data: body });
        else if (op % 5 === 1) carry({ kind: 'datagram', data: plain(argument, body.subarray(0, 1 << 14)) });
        else if (op % 5 === 2) {
          const until = now + STEP_MS * argument;
          for (let at = connection.wakeAt(); at !== undefined && at <= until; at = connection.wakeAt()) {
            now = Math.max(now, at);
            carry();
            demand(++wakes < 1_000, 'it does not wake for ever');
          }
          now = until;
        } else if (op % 5 === 3)
          carry({ kind: 'datagram', data: writing.encode(argument, 1, body.subarray(0, 1 << 14)) });
        else carry(argument % 4 === 3 ? { kind: 'close' } : { kind: 'send', data: text('hello') });
      }
      demand(!over || connection.wakeAt() === undefined, 'nothing waits after the end');
      return up && connection.counters.dropped <= connection.counters.records / 2;
    },
    large: (size) => [
      Uint8Array.from(
        inBytes([
          0,
          0,
          Buffer.concat(Array.from({ length: size / 14 }, () => plain(CONTENT.handshake, Uint8Array.of(1)))),
        ]),
      ),
      // Fragments of a byte each, of one message; and the last of them again and again.
      inBytes([0, 0, fragments(size, (nth, total) => nth % total)]),
      inBytes([0, 0, fragments(size, (_, total) => total - 1)]),
      inBytes([1, CONTENT.handshake, new Uint8Array(size).fill(255)]),
      inBytes([
        0,
        0,
        Buffer.concat(
          Array.from({ length: size / 38 }, (_, nth) =>
            encodeRecord({ type: 23, epoch: 1, sequence: nth, body: new Uint8Array(25) }),
          ),
        ),
      ]),
    ],
  };
}

/** One record of fragments. */
function fragments(size: number, at: (nth: number, total: number) => number): Uint8Array {
  const total = Math.min(16_000, Math.floor(size / (MESSAGE_HEADER + 1)));
  const bytes = new Uint8Array((MESSAGE_HEADER + 1) * total);
  const view = new DataView(bytes.buffer);
  for (let nth = 0; nth < total; nth++) {
    const start = (MESSAGE_HEADER + 1) * nth;
    view.setUint8(start, 11);
    view.setUint16(start + 2, total);
    view.setUint16(start + 7, at(nth, total));
    view.setUint8(start + 11, 1);
  }
  return encodeRecord({ type: CONTENT.handshake, epoch: 0, sequence: 0, body: bytes });
}

const said = (role: Role, wanted: number): Uint8Array => {
  const fragments = new Fragments();
  for (const datagram of RECORDED.datagrams[role])
    for (const { type, epoch, body } of recordsOf(datagram).records)
      if (type === CONTENT.handshake && epoch === 0) fragments.add(body, 0);
  for (let next = fragments.shift(); next; next = fragments.shift()) if (next.type === wanted) return next.body;
  throw new Error(`no message ${wanted} was recorded`);
};

const READERS: readonly (readonly [role: Role, type: number, read: (body: Uint8Array) => unknown])[] = [
  ['client', HANDSHAKE.clientHello, readClientHello],
  ['server', HANDSHAKE.serverHello, readServerHello],
  ['server', HANDSHAKE.certificate, (body) => acceptCertificate(readCertificate(body), 'any')],
  ['server', HANDSHAKE.serverKeyExchange, readServerKeyExchange],
  ['server', HANDSHAKE.certificateRequest, readCertificateRequest],
  ['client', HANDSHAKE.clientKeyExchange, readClientKeyExchange],
  ['client', HANDSHAKE.certificateVerify, (body) => readSignature(new Reader(body), 'cipher')],
];

/** The bodies of messages: the first byte says of which. */
export const messages: Target = {
  name: 'dtls-messages',
  seeds: READERS.map(([role, type], nth) => Uint8Array.of(nth, ...said(role, type))),
  run: (input) => {
    const [, , read] = READERS[(input[0] ?? 0) % READERS.length] as (typeof READERS)[number];
    return takes(() => read(input.subarray(1)), DtlsError);
  },
  large: (size) => [
    // Suites, extensions, a list of certificates: as many as there is room for.
    Uint8Array.of(
      0,
      ...clientHello({ random: new Uint8Array(32), cookie: new Uint8Array() }).subarray(0, 36),
      ...u16(size),
      ...new Uint8Array(size),
    ),
    Uint8Array.of(0, ...said('client', HANDSHAKE.clientHello).subarray(0, 42), ...u16(size), ...extensions(size)),
    Uint8Array.of(2, 0, ...u16(size + 3), 0, ...u16(size), ...new Uint8Array(size).fill(48)),
    Uint8Array.of(4, 1, 64, ...u16(size), ...new Uint8Array(size)),
  ],
};

const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
const extensions = (size: number): number[] =>
  Array.from({ length: Math.floor(size / 4) }, (_, nth) => [...u16(nth), 0, 0]).flat();

export const client = target('client');
export const server = target('server');
