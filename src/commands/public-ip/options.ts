/** The arguments of `public-ip`. */
import { type DnsSource, type HttpsSource, METHODS, type Method } from '../../probe/public-address/sources.ts';
import { FAMILY, PORT, SOURCE, TIMEOUT, parseHost, parseSecondsFrom, STUN } from '../arguments.ts';
import { type ArgsOf, UsageError } from '../command.ts';

function parseDns(text: string, argument: string): DnsSource {
  const match = /^(?:(txt):)?([^@:]+)@(.+)$/i.exec(text);
  if (!match)
    throw UsageError.expected(
      argument,
      'NAME@SERVER, such as myip.opendns.com@208.67.222.222, or txt:NAME@SERVER',
      text,
    );
  const { host, port } = parseHost(match[3] ?? '', argument);
  return { method: 'dns', type: match[1] ? 'TXT' : 'address', name: match[2] ?? '', host, port: port ?? 53 };
}

function parseUrl(text: string, argument: string): HttpsSource {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw UsageError.expected(argument, 'a URL, such as https://icanhazip.com/', text);
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw UsageError.expected(argument, 'a URL that begins with https: or http:', text);
  if (url.username !== '' || url.password !== '')
    throw new UsageError(`${argument}: a URL with a password is not used`);
  return { method: 'https', url };
}

function parseVia(text: string, argument: string): readonly Method[] {
  return text.split(',').map((word) => {
    const name = word === 'http' ? 'https' : word;
    const method = METHODS.find((each) => each === name);
    if (!method) throw UsageError.expected(argument, `${METHODS.join(', ')}, or several with commas`, word);
    return method;
  });
}

export const options = {
  via: {
    type: 'string',
    array: true,
    valueName: 'METHOD[,METHOD...]',
    parse: parseVia,
    suggestions: METHODS,
    list: true,
    describe: 'ask only by these methods: stun, dns, https',
  },
  stun: {
    ...STUN,
    array: true,
    describe: 'ask this STUN server',
  },
  dns: {
    type: 'string',
    array: true,
    valueName: 'NAME@SERVER',
    parse: parseDns,
    describe: 'ask this name server for this name; txt:NAME@SERVER where the answer is a TXT record',
  },
  url: {
    type: 'string',
    array: true,
    valueName: 'URL',
    parse: parseUrl,
    describe: 'ask this web page, which answers with the address alone or in a line ip=ADDRESS',
  },
  watch: {
    type: 'string',
    bare: '60',
    valueName: 'SECONDS',
    parse: parseSecondsFrom(1),
    describe: 'ask again so often (60 s when left out, at least 1), and print a line when the address changes',
  },
  exec: {
    type: 'string',
    valueName: 'COMMAND',
    describe:
      'run this by the shell on each change, with the addresses in NAT_TOOL_ADDRESS and NAT_TOOL_PREVIOUS; implies --watch',
  },
  family: FAMILY,
  port: { ...PORT, means: 'free-port', describe: 'local port of the STUN queries' },
  source: SOURCE,
  timeout: { ...TIMEOUT, default: '5' },
} as const;

export type Args = ArgsOf<Record<never, never>, typeof options>;

export const DEFAULT_WATCH_MS = 60_000;

export const isWatch = ({ watch, exec }: Args): boolean => watch !== undefined || exec !== undefined;
