import { type Family, familyOf } from '../net/address.ts';
import { findPrefixes } from '../net/nat64.ts';
import { Waits } from '../net/wait.ts';
import { measureBehaviour } from '../probe/detect/behaviour.ts';
import { type Behaviour, conclude, nothingMeasured } from '../probe/detect/conclude.ts';
import { advice, EXPECTABLE, isExpected, meaningOf } from '../nat/meaning.ts';
import { findServers } from '../probe/servers-lookup.ts';
import { defaultServers } from '../probe/servers.ts';
import { type Block, type Cell, fields, forwardingGrid, grid, heading, text, type Tone } from '../render/block.ts';
import { finding } from '../report/finding.ts';
import { startReport } from '../report/report.ts';
import type { StunServerName } from '../stun/uri.ts';
import { checkFamily, FAMILY, parseLocalPort, parseStun, SOURCE, TIMEOUT } from './arguments.ts';
import { type Context, defineCommand, type Look, UsageError } from './command.ts';

/** More are not asked at once: the first ones to answer are enough. */
const BATCH = 5;

function parseExpected(value: string, argument: string): readonly string[] {
  const words = value.split(',').map((word) => word.trim());
  const unknown = words.find((word) => !EXPECTABLE.includes(word));
  if (unknown !== undefined)
    throw UsageError.expected(argument, `words among ${EXPECTABLE.join(', ')}, separated by commas`, unknown);
  return words;
}

async function run(
  args: {
    server: readonly StunServerName[];
    family: Family | undefined;
    port: number | undefined;
    source: string | undefined;
    timeout: number;
    local: boolean;
  },
  context: Context,
) {
  const { env, signal } = context;
  checkFamily('server', args.server, args);
  const close = startReport(env.clock, 'nat-tool/detect@1');
  const builtIn = defaultServers(context.environment).map(({ server }) => parseStun(server, 'NAT_TOOL_SERVER'));
  const batches =
    args.server.length > 0
      ? [args.server]
      : [builtIn.slice(0, BATCH), builtIn.slice(BATCH, 2 * BATCH)].filter((batch) => batch.length > 0);
  const deadline = env.clock.now() + args.timeout;
  const left = () => Math.max(1, deadline - env.clock.now());
  for (const [i, batch] of batches.entries()) {
    context.progress('looking up servers');
    const lookups = new Waits(signal);
    try {
      const wanted = {
        family: args.source === undefined ? args.family : familyOf(args.source),
        timeoutMs: left(),
        anyWillDo: args.server.length === 0,
      };
      const { family, endpoints, spares, names, findings } = await findServers(env, batch, wanted, signal);
      if (endpoints.length === 0) {
        if (i < batches.length - 1) continue;
        return close('failed', nothingMeasured(batch[0]?.host ?? ''), findings);
      }
      const options = {
        servers: endpoints,
        spares,
        local: args.local,
        // Found out beside the measurement; its end ends the look-up too.
        nat64: family === 6 ? lookups.run((own) => findPrefixes(env.resolver, own)).catch(() => []) : undefined,
        port: args.port,
        source: args.source,
        timeoutMs: left(),
        onProgress: context.progress,
      };
      const { outcome, data, findings: more } = conclude(await measureBehaviour(env, family, options, signal));
      if (outcome === 'failed' && i < batches.length - 1) continue;
      const name = names.get(data.server.address) ?? null;
      return close(outcome, { ...data, server: { ...data.server, name } }, [...findings, ...more]);
    } catch (error) {
      if (!signal.aborted) throw error;
      return close('partial', nothingMeasured(batch[0]?.host ?? ''), [finding('interrupted')]);
    } finally {
      lookups.end();
    }
  }
  throw new Error('there is always a last batch');
}

const TONES: Readonly<Partial<Record<Behaviour['type'], Tone>>> = {
  'open-internet': 'good',
  'full-cone': 'good',
  'restricted-cone': 'good',
  'port-restricted-cone': 'good',
  'udp-firewall': 'good',
  symmetric: 'warn',
  'udp-blocked': 'bad',
  unknown: 'warn',
};

function allocationInWords({ portAllocation: { pattern, step, perDestination, range } }: Behaviour): string {
  if (step !== undefined) return `${pattern}, step ${step}${perDestination ? ', a counter for each destination' : ''}`;
  if (range) return `${pattern} ${range[0]}–${range[1]}`;
  return pattern;
}

function serverInWords({ server, evidence }: Behaviour): string {
  const rtt =
    evidence.find(({ test, to, rttMs }) => test === 'mapping-1' && to === server.address && rttMs !== null)?.rttMs ??
    null;
  const remarks = [
    ...(rtt === null ? [] : [`RTT ${rtt.toFixed(1)} ms`]),
    ...(server.software ? [server.software] : []),
  ];
  const name = server.name !== null ? `${server.name}, ${server.address}` : server.address;
  return name + (remarks.length > 0 ? ` (${remarks.join(', ')})` : '');
}

const known = (word: string): Cell => (word === 'unknown' ? { text: word, tone: 'dim' } : word);

function view({ data }: { data: Behaviour }, _args: unknown, { verbosity }: Pick<Look, 'verbosity'>): Block[] {
  const { local, table } = data;
  const own = table.filter((row) => row.private === local);
  const tone = TONES[data.type];
  const blocks: Block[] = [];
  const rows = verbosity > 0 ? table : own;
  if (rows.length > 0) blocks.push(forwardingGrid(rows));
  const meaning = meaningOf(data);
  const lines: [string, Cell][] = [['Type', { text: meaning.words, tone: tone ?? 'strong' }]];
  // Where nothing came back there is nothing to say of the parts.
  if (table.length > 0) lines.push(['Mapping', known(data.mapping)], ['Filtering', known(data.filtering)]);
  // What only a NAT does.
  if (table.length > 0 && data.mapping !== 'none')
    lines.push(['Hairpin', known(data.hairpin)], ['Ports', known(allocationInWords(data))]);
  if (data.server.address !== '') lines.push(['Server', serverInWords(data)]);
  blocks.push(fields(lines), text(meaning.advice));
  if (verbosity > 0 && data.evidence.length > 0) {
    blocks.push(
      heading('Evidence'),
      // Narrow enough for 80 columns: all tests leave from one address, so that its port is enough.
      grid(
        [
          { title: 'Test', wrap: true },
          { title: 'From port, to', wrap: true },
          { title: 'Got', align: 'right' },
          { title: 'RTT ms', align: 'right' },
          { title: 'Verdict', wrap: true },
        ],
        data.evidence.map((row) => [
          row.test.replace(/-baseline$/, ' (baseline)'),
          `${row.from.slice(row.from.lastIndexOf(':') + 1)} to ${row.to}`,
          `${row.received}/${row.sent}`,
          row.rttMs === null ? '' : row.rttMs.toFixed(1),
          row.verdict,
        ]),
      ),
    );
  }
  return blocks;
}

export default defineCommand({
  name: 'detect',
  summary: 'find out which NAT this host is behind, and with whom a direct path works',
  description: [
    'Runs the behaviour tests of RFC 5780 in parallel, each on a socket of its own: how the NAT maps (does the public side depend on the destination?), what it filters (who may answer?), whether it hairpins, and how it picks ports. The result is shown as a NAT forwarding table with one sentence on what it means.',
    'Silence never makes a type: what is lost is sent again until loss cannot explain it, the server must have been seen to honour the same request on an open path, and whatever cannot be proven is "unknown", with the reason.',
    'With a server that supports RFC 5780 everything is tested; two or more plain servers still tell the mapping. With no server named, those in NAT_TOOL_SERVER or built-in public servers are asked, and those that answer are used.',
  ],
  positionals: {
    server: {
      describe: 'STUN server: host, host:port, host port, [v6]:port or stun:host[:port]',
      parse: parseStun,
      array: true,
      joinPort: true,
      option: 'server',
      valueName: 'SERVER',
    },
  },
  options: {
    expect: {
      type: 'string',
      valueName: 'WORD[,WORD...]',
      parse: parseExpected,
      suggestions: EXPECTABLE,
      list: true,
      describe: `exit 1 unless the type is among these words; also cone (any of the three) and p2p (hole punching works)`,
    },
    local: {
      type: 'boolean',
      describe: 'measure against a server inside this network: the NAT asked about is one on the way to it',
    },
    family: FAMILY,
    port: {
      type: 'string',
      alias: 'p',
      valueName: 'PORT',
      parse: parseLocalPort,
      describe: 'local port of the mapping test; the others use ports of their own',
    },
    source: SOURCE,
    timeout: { ...TIMEOUT, default: '8' },
  },
  examples: [
    { command: 'nat-tool detect', explain: 'Ask built-in public servers' },
    { command: 'nat-tool detect stun.example.net', explain: 'Ask one server that supports RFC 5780' },
    {
      command: 'nat-tool detect stun1.example.net stun2.example.net:19302',
      explain: 'Compare what two plain servers see',
    },
    { command: 'nat-tool detect --short stun.example.net', explain: 'The type alone, for a script' },
    { command: 'nat-tool detect --expect p2p stun.example.net || echo relay needed', explain: 'Use the exit status' },
  ],
  notes: [
    {
      title: 'Results',
      paragraphs: EXPECTABLE.filter((word) => word !== 'cone' && word !== 'p2p').map(
        (word) => `${word}: ${advice(word as Behaviour['type'])}`,
      ),
    },
  ],
  seeAlso: ['stun', 'serve', 'lab'],
  exitMeanings: {
    0: 'the type is known',
    1: 'UDP is blocked, or the expectation is not met',
    3: 'inconclusive: the type is unknown, and the notes say why',
  },
  run,
  view,
  short: ({ data }) => data.type,
  exitStatus: ({ data }, { expect }) => {
    if (expect) return isExpected(data, expect) ? 0 : 1;
    return data.type === 'unknown' ? 3 : data.type === 'udp-blocked' ? 1 : 0;
  },
});
