/** The arguments of `webrtc`. */
import { MOST_SIZE } from './frame.ts';
import { FAMILY, parseAddress, parseLocalPort, parseStun, parseTurn, SOURCE, WAIT } from '../arguments.ts';
import { isAddress, scopeOf } from '../../net/address.ts';
import { formatHostPort } from '../../net/host-port.ts';
import type { StunServerName } from '../../stun/uri.ts';
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

/** A STUN server where two terminals meet, or the address of a page. */
function parseMeeting(text: string, argument: string): StunServerName | URL {
  if (!/^https?:/i.test(text)) return parseStun(text, argument);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url?.hostname || url.username !== '' || url.search !== '' || url.hash !== '')
    throw UsageError.expected(argument, 'https://HOST[:PORT], or HOST[:PORT]', text);
  const name = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol === 'http:' && name !== 'localhost' && !(isAddress(name) && scopeOf(name) === 'loopback'))
    throw new UsageError(
      `${argument}: without TLS the page can be changed on its way`,
      'Write https://; serve --web has it with --cert and --key.',
    );
  return url;
}

/** Where the page stands. */
export const urlOf = (server: StunServerName | URL): URL =>
  server instanceof URL ? server : new URL(`https://${formatHostPort(server)}/`);

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
    parse: parseMeeting,
    describe:
      'without CODE: the page stands at this nat-tool serve --web, https://HOST[:PORT], for a browser anywhere. With CODE: where both hosts meet, a nat-tool serve; else NAT_TOOL_SERVER; without either public MQTT brokers carry what the two tell each other, sealed',
  },
  cafile: {
    type: 'string',
    valueName: 'FILE',
    means: 'file',
    describe: 'trust the certificates in this PEM file too, for https://',
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
  qr: { type: 'boolean', describe: 'show the link as a QR code on standard error too, for a telephone' },
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
