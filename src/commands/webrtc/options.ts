/** The arguments of `webrtc`. */
import { MOST_SIZE } from './frame.ts';
import { FAMILY, parseAddress, parseLocalPort, parseStun, parseTurn, SOURCE, WAIT } from '../arguments.ts';
import { type ArgsOf, UsageError } from '../command.ts';

export const positionals = {
  code: {
    describe:
      'the other side is another terminal that runs this with the same code; nat-tool connect --generate prints one. A browser when left out',
    valueName: 'CODE',
  },
} as const;

/** `80x30`. */
function parseSize(text: string, argument: string): { readonly width: number; readonly height: number } {
  const [, width, height] = /^(\d{1,3})x(\d{1,3})$/.exec(text) ?? [];
  const size = { width: Number(width), height: Number(height) };
  if (!(size.width >= 2 && size.width <= MOST_SIZE.width && size.height >= 2 && size.height <= MOST_SIZE.height))
    throw UsageError.expected(
      argument,
      `COLUMNSxROWS, such as 80x30, at most ${MOST_SIZE.width}x${MOST_SIZE.height}`,
      text,
    );
  return size;
}

export const options = {
  listen: {
    type: 'string',
    valueName: 'ADDRESS',
    parse: parseAddress,
    describe:
      'serve the page on this address of this host, for browsers in the local network; 127.0.0.1 when left out, for one on this host',
  },
  port: {
    type: 'string',
    alias: 'p',
    valueName: 'PORT',
    parse: parseLocalPort,
    default: '0',
    describe: 'TCP port of the page; any when 0',
  },
  cert: {
    type: 'string',
    valueName: 'FILE',
    means: 'file',
    describe:
      'serve the page over https with this certificate (PEM): browsers elsewhere give the camera to nothing less',
  },
  key: { type: 'string', valueName: 'FILE', means: 'file', describe: 'the private key of the certificate (PEM)' },
  server: {
    type: 'string',
    valueName: 'SERVER',
    parse: parseStun,
    describe:
      'with CODE: where both hosts meet, a nat-tool serve; else NAT_TOOL_SERVER; without either public MQTT brokers carry what the two tell each other, sealed',
  },
  stun: {
    type: 'string',
    array: true,
    valueName: 'SERVER',
    parse: parseStun,
    describe:
      'STUN server that both sides ask; else NAT_TOOL_SERVER, or built-in ones. One with two addresses (nat-tool serve) also tells how each NAT maps',
  },
  turn: {
    type: 'string',
    valueName: 'SERVER',
    parse: parseTurn,
    describe:
      'TURN server that both sides may use, with NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD or NAT_TOOL_TURN_SECRET; the browser is told the login',
  },
  relayOnly: { type: 'boolean', describe: 'only by relays: shows whether the TURN server would do for everybody' },
  noThroughput: { type: 'boolean', describe: 'do not measure how much the channel carries' },
  open: { type: 'boolean', describe: "open the page in this host's browser" },
  camera: {
    type: 'string',
    valueName: 'SIZE',
    bare: 'window',
    parse: (text: string, argument: string) => (text === 'window' ? text : parseSize(text, argument)),
    describe: "afterwards show the browser's camera in the terminal, as large as the window, or as SIZE says: 80x30",
  },
  timeout: { ...WAIT, default: '300', describe: 'wait so long for the browser' },
  family: FAMILY,
  source: SOURCE,
} as const;

export type Args = ArgsOf<typeof positionals, typeof options>;
