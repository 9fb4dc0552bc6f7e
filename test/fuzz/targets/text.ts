/** Text that a stranger wrote: SDP, tokens, codes, descriptions, reports, lists, scripts. */
import { isDeepStrictEqual } from 'node:util';
import { parseScript } from '../../../src/commands/lab/script.ts';
import pair from '../../../src/commands/pair.ts';
import { parseServerList } from '../../../src/commands/stun/server-list.ts';
import { UsageError } from '../../../src/commands/usage-error.ts';
import { CodeError, parseCode } from '../../../src/connect/code.ts';
import {
  decodeDescription,
  type Description,
  encodeDescription,
  portsOf,
} from '../../../src/connect/signalling/description.ts';
import { packDescription, unpackDescription } from '../../../src/connect/signalling/packed-description.ts';
import { formatToken, parseToken, TokenError } from '../../../src/connect/signalling/token.ts';
import { formatIceAttributes, parseIceAttributes, SdpError } from '../../../src/ice/sdp.ts';
import { renderText } from '../../../src/render/text.ts';
import { createTheme } from '../../../src/render/theme.ts';
import { stillEnv } from '../../cli/harness.ts';
import { demand, type Target, takes, text } from '../target.ts';

const read = (input: Uint8Array): string => new TextDecoder().decode(input);

const SDP = `v=0\r\na=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=ice-options:ice2
a=candidate:1 1 UDP 2130706431 10.0.1.1 8998 typ host
a=candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 10.0.1.1 rport 8998 generation 0
a=candidate:3 1 udp 2130706431 2001:db8::1 8998 typ host\r\na=end-of-candidates\r\n`;

export const sdp: Target = {
  name: 'sdp',
  seeds: [text(SDP)],
  words: [
    'a=',
    'candidate:',
    ' typ ',
    ' raddr ',
    'x.local',
    '\r\n',
    '::',
    ' udp ',
    '65536',
    'a=ice-pwd:',
    'a=ice-lite',
  ],
  run: (input) =>
    takes(() => {
      const found = parseIceAttributes(read(input));
      const again = parseIceAttributes(formatIceAttributes(found));
      demand(isDeepStrictEqual(again.candidates, found.candidates), 'candidates mean the same when written and read');
    }, SdpError),
  large: (size) => [
    text(`a=candidate:1 1 udp 1 ${' '.repeat(size)}`),
    text('a=candidate:\n'.repeat(size / 13)),
    text(`${SDP}a=candidate:1 1 udp 1 192.0.2.1 1 typ host${' a b'.repeat(size / 4)}\n`),
    text(`${SDP}a=candidate:1 1 udp 1 192.0.2.1 1 typ host${' raddr'.repeat(size / 6)} x`),
  ],
};

const EVERYTHING: Description = {
  hosts: [
    { address: '192.168.1.3', port: 1 },
    { address: '2001:db8::1', port: 2 },
  ],
  reflexive: [{ address: '12.13.14.15', port: 3 }],
  beside: { address: '2001:db8::2', port: 4 },
  late: { address: '12.13.14.15', port: 5 },
  mapped: { address: '12.13.14.15', port: 6 },
  relayed: [{ address: '40.30.20.10', port: 7 }],
  profile: {
    mapping: 'address-dependent',
    filtering: 'address-and-port-dependent',
    allocation: { pattern: 'sequential', step: -2 },
    complete: true,
  },
  aim: undefined,
};

export const packed: Target = {
  name: 'packed description',
  seeds: [packDescription(EVERYTHING, 900), Uint8Array.of(0, 0, 0, 0)],
  run: (input) => {
    const found = unpackDescription(input);
    if (found)
      demand(
        isDeepStrictEqual(unpackDescription(packDescription(found, 2_000)), found),
        'a packed description means the same when it is packed again',
      );
    return found !== undefined;
  },
  large: (size) => [new Uint8Array(size).fill(255), new Uint8Array(size).fill(8)],
};

const TOKEN = formatToken({
  share: new Uint8Array(32).fill(2),
  payload: packDescription(EVERYTHING, 900),
});

export const token: Target = {
  name: 'token',
  seeds: [text(TOKEN), text(` ${TOKEN.slice(0, 30)}\n${TOKEN.slice(30)} `)],
  words: ['nt3.', '\n', ' ', '='],
  run: (input) =>
    takes(() => {
      const found = parseToken(read(input));
      demand(isDeepStrictEqual(parseToken(formatToken(found)), found), 'a token means the same when written and read');
    }, TokenError),
  large: (size) => [
    text(`nt3.${'A'.repeat(size)}`),
    text(`nt3.${' \n'.repeat(size / 2)}`),
    text('\u00a0'.repeat(size)),
  ],
};

export const code: Target = {
  name: 'code',
  seeds: [text('k7qf2-m9x4t-03bsd-v8hwd'), text('K7QF2 M9X4T 03BSD V8HWD')],
  words: ['-', 'o', 'I', '–', ' '],
  run: (input) =>
    takes(() => demand(/^[0-9a-z]{5}(-[0-9a-z]{5}){3}$/.test(parseCode(read(input))), 'canonical'), CodeError),
  large: (size) => [text('-'.repeat(size)), text('k'.repeat(size)), text('u'.repeat(size))],
};

export const description: Target = {
  name: 'description',
  seeds: [
    encodeDescription({
      hosts: [
        { address: '192.168.1.3', port: 5 },
        { address: '2001:db8::1', port: 6 },
      ],
      reflexive: [{ address: '12.13.14.15', port: 24604 }],
      late: { address: '12.13.14.15', port: 24605 },
      profile: {
        mapping: 'address-and-port-dependent',
        filtering: 'address-dependent',
        allocation: { pattern: 'sequential', step: 2 },
        complete: true,
      },
      aim: { round: 1, address: '12.13.14.15', from: 24606, step: -2, count: 64 },
    }),
    encodeDescription({
      hosts: [],
      reflexive: [],
      late: undefined,
      profile: {
        mapping: 'none',
        filtering: 'unknown',
        allocation: { pattern: 'block', range: [1, 9] },
        complete: false,
      },
      aim: undefined,
    }),
  ],
  words: ['"v":1', '"h":[', '"r":[', '"a":[', '"p":["block",0,1,2]', 'null', '1e999', '-1', '"apd"', '{', '}', ','],
  run: (input) => {
    const found = decodeDescription(input);
    if (!found) return false;
    demand(found.hosts.length <= 8 && found.reflexive.length <= 2, 'a bounded list of addresses');
    const ports = found.aim ? portsOf(found.aim) : [];
    demand(ports.length <= 64 && ports.every((port) => port >= 1024 && port <= 65_535), 'so many ports, of clients');
    demand(
      isDeepStrictEqual(decodeDescription(encodeDescription(found)), found),
      'means the same when written and read',
    );
    return true;
  },
  large: (size) => [
    text(`{"v":1,"h":[${'"1.2.3.4:5",'.repeat(size / 12)}"1.2.3.4:5"],"r":[]}`),
    text('['.repeat(size)),
  ],
};

const DETECTED = {
  schema: 'nat-tool/detect@1',
  outcome: 'complete',
  data: {
    public: '12.13.14.15:24604',
    type: 'symmetric',
    mapping: 'address-and-port-dependent',
    filtering: 'address-and-port-dependent',
    portAllocation: { pattern: 'sequential', step: 2 },
    evidence: [{ rttMs: 40 }, { rttMs: null }],
  },
};
const other = { ...DETECTED.data, portAllocation: { pattern: 'block', range: [30_000, 30_063] }, type: 'symmetric' };

/** The report of one host, by a stranger; ours is in order. */
export const report: Target = {
  name: 'report',
  seeds: [
    text(JSON.stringify(DETECTED)),
    text(JSON.stringify({ ...DETECTED, data: other }, null, 2)),
    text(JSON.stringify({ ...DETECTED, data: { ...other, portAllocation: { pattern: 'random' } } })),
  ],
  words: [
    'null',
    '1e308',
    '-1e308',
    '0',
    '{}',
    '[]',
    '"block"',
    '"range":',
    '"rttMs":',
    '"step":',
    '\\u001b',
    'unknown',
  ],
  run: async (input) => {
    const files: Readonly<Record<string, Uint8Array>> = { a: input, b: text(JSON.stringify(DETECTED)) };
    try {
      const context = { env: stillEnv, readFile: async (path: string) => files[path] as Uint8Array };
      const made = await pair.run({ a: 'a', b: 'b' }, context as never);
      const { odds, expectedMs } = made.data as { odds: number | null; expectedMs: number | null };
      demand(odds === null || (odds >= 0 && odds <= 1), 'odds from 0 to 1');
      demand(expectedMs === null || Number.isFinite(expectedMs), 'a time');
      const shown = await renderText(pair.view(made, {} as never, {} as never), await createTheme(false, true), 80);
      demand(!/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/.test(shown), 'nothing that steers a terminal');
      return true;
    } catch (error) {
      if (error instanceof UsageError) return false;
      throw error;
    }
  },
  large: (size) => [
    text(
      JSON.stringify({
        ...DETECTED,
        data: { ...DETECTED.data, evidence: Array(Math.floor(size / 12)).fill({ rttMs: 1 }) },
      }),
    ),
    text(`${'[1,'.repeat(size / 3)}`),
  ],
};

export const list: Target = {
  name: 'list',
  seeds: [
    text('stun.example.net # one\n\n192.0.2.1:3478\n[2001:db8::1]:5\nstuns:stun.example.net\n2001:db8::2 3478\n'),
  ],
  words: ['stun:', 'stuns:', '#', ' ', '\r\n', '[', ']', ':', '?transport=udp', '%', 'xn--'],
  run: (input) => takes(() => parseServerList(read(input), 'list'), UsageError),
  large: (size) => [
    text(' '.repeat(size)),
    text(`a${' #'.repeat(size / 2)}`),
    text('a\n'.repeat(size / 2)),
    text(`${'a.'.repeat(size / 2)}`),
    text('[:'.repeat(size / 2)),
  ],
};

export const script: Target = {
  name: 'script',
  seeds: [
    text('## Title\n# say\nA$ nat-tool stun &\nB$ echo "x y" | nat-tool send \'$A_PUBLIC\' 9\nwait 1.5\nstop A\n'),
  ],
  words: ['A$ ', 'nat-tool ', ' | ', ' &', '"', "'", 'wait ', '1e9', '#'],
  run: (input) => takes(() => parseScript(read(input), 'script'), UsageError),
  large: (size) => [
    text(' '.repeat(size)),
    text(`A$ nat-tool ${' '.repeat(size)}x`),
    text(`A$ nat-tool "${'"a'.repeat(size / 2)}`),
    text('# x\n'.repeat(size / 4)),
  ],
};
