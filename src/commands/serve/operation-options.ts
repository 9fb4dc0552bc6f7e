/** The arguments of `serve` that are about its operation. */
import type { Endpoint } from '../../net/address.ts';
import { isAddress } from '../../net/address.ts';
import { parseHostPort } from '../../net/host-port.ts';
import { parseWhole } from '../arguments.ts';
import { UsageError } from '../command.ts';

/** More processes than any host has cores to run. */
const MOST_WORKERS = 256;

function parseMetrics(text: string, argument: string): Endpoint {
  const parsed = parseHostPort(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text);
  if ('wrong' in parsed || parsed.port === undefined || !isAddress(parsed.host))
    throw UsageError.expected(argument, 'PORT, ADDRESS:PORT or [ADDRESS]:PORT', text);
  return { address: parsed.host, port: parsed.port };
}

const parseCount = parseWhole(1, MOST_WORKERS);

const parseWorkers = (text: string, argument: string): number | 'auto' =>
  text === 'auto' ? text : parseCount(text, argument);

export const OPERATION_OPTIONS = {
  workers: {
    type: 'string',
    valueName: 'N',
    parse: parseWorkers,
    default: '1',
    describe: 'processes that answer Binding requests, on as many cores; auto for one on each',
  },
  metrics: {
    type: 'string',
    valueName: '[ADDRESS:]PORT',
    parse: parseMetrics,
    describe: 'serve /metrics for Prometheus and /healthz by HTTP on this port of this host, or of that address',
  },
  web: {
    type: 'string',
    valueName: '[ADDRESS:]PORT',
    parse: parseMetrics,
    describe:
      'give nat-tool webrtc --server a page for browsers elsewhere, by https with --cert and --key, and without them on this host alone; all that passes is sealed',
  },
  drain: {
    type: 'string',
    valueName: 'SECONDS',
    parse: parseWhole(0, 3600),
    default: '10',
    describe: 'on SIGTERM, how long meetings and relays in use may take to end',
  },
} as const;
