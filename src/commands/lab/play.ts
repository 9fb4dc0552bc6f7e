/** Plays a script: commands on several hosts of one simulated network, step by step, with what each did to packets and tables. */
import { type Diagram, type Drawn, diagram } from '../../lab/ladder.ts';
import { createLab, type Lab } from '../../lab/topology.ts';
import { TUTORIAL } from '../../lab/tutorial.ts';
import { familyOf, isAddress } from '../../net/address.ts';
import type { Env } from '../../net/env.ts';
import { sleep } from '../../net/wait.ts';
import type { Report } from '../../report/report.ts';
import type { Context, ExitStatus, Invocation } from '../command.ts';
import { UsageError } from '../usage-error.ts';
import type { Output, Played, Script, ScriptStep } from './data.ts';
import { inside, load, networkOf } from './network.ts';
import type { Args } from './options.ts';
import { parseScript, type ScriptLine } from './script.ts';

/** `--script FILE`, or the tutorial where there is none. */
export async function playScript(args: Args, context: Context): Promise<Script> {
  const where = args.script ?? 'the tutorial';
  const lines = parseScript(
    args.script === undefined ? TUTORIAL : new TextDecoder().decode(await context.readFile(args.script)),
    where,
  );
  const nat2 = args.nat2 ?? (args.script === undefined ? 'port-restricted-cone' : undefined);
  const lab = createLab({
    ...networkOf(args, nat2),
    nat: args.nat,
    addressServices: true,
    trace: true,
  });
  return { kind: 'script', script: await inside(() => play(lines, lab, context, where), where) };
}

/** Virtual milliseconds after each step in which packets on their way arrive. */
const SETTLE_MS = 500;

interface Program {
  readonly host: string;
  readonly stop: AbortController;
  readonly ended: Promise<Invocation>;
}

/** Plays the script to its end inside the lab, which must keep a trace. Hosts that it names must exist. */
async function play(
  lines: readonly ScriptLine[],
  lab: Lab,
  context: Pick<Context, 'env' | 'invoke' | 'signal'>,
  where: string,
): Promise<Played> {
  const steps: ScriptStep[] = [];
  const output: Output[] = [];
  const programs: Program[] = [];
  const known = new Map<string, string>(Object.entries(addressesOf(lab)));
  const drawn: Drawn = new Map();
  let seen = 0;
  for (const line of lines) {
    if ((line.kind === 'run' || line.kind === 'stop') && !lab.hosts.includes(line.host))
      throw new UsageError(`${where}: no host '${line.host}'; there are ${lab.hosts.join(', ')}`);
  }

  const expand = (text: string): string =>
    text.replace(/\$([A-Za-z][A-Za-z0-9_]*)/g, (_, name: string) => {
      const value = known.get(name);
      if (value === undefined)
        throw new UsageError(
          `${where}: $${name} is not known; there are ${[...known.keys()].map((each) => `$${each}`).join(', ')}`,
        );
      return value;
    });
  /** Until a report says better: the NAT's address, with the guess that it keeps the port. */
  const guess = (host: string, words: readonly string[]): void => {
    const port = words[words.indexOf('-p') + 1];
    const outside = lab.outsides[host === 'A' ? 'N' : host === 'C2' ? 'N2' : ''];
    if (words.includes('-p') && port !== undefined && outside !== undefined && !known.has(`${host}_PUBLIC`))
      known.set(`${host}_PUBLIC`, `${outside}:${port}`);
  };
  const start = (line: Extract<ScriptLine, { kind: 'run' }>, env: Env, parent: AbortSignal): Program => {
    const stop = new AbortController();
    guess(line.host, line.words);
    const ended = context.invoke(line.words.map(expand), {
      env,
      signal: AbortSignal.any([parent, stop.signal]),
      // Of the host's name, where it is not the one whose turn it is.
      ...(line.background && { margin: line.host.length + 2 }),
      ...(line.stdin !== undefined && { stdin: one(line.stdin) }),
      onOutput: (stream, printed) => void output.push({ host: line.host, stream, text: printed }),
    });
    return { host: line.host, stop, ended };
  };
  const learn = ({ host }: Program, { report }: Invocation): void => {
    const side = report && publicSide(report);
    if (side) known.set(`${host}_PUBLIC`, side);
  };
  const end = async (some: readonly Program[]): Promise<void> => {
    for (const program of some) {
      program.stop.abort(new DOMException('interrupted', 'AbortError'));
      learn(program, await program.ended);
      programs.splice(programs.indexOf(program), 1);
    }
  };

  await load(
    lines.flatMap((line) => (line.kind === 'run' ? line.words.slice(0, 1) : [])),
    context,
  );

  await lab.run(
    async (env, signal) => {
      try {
        for (const line of lines) {
          let status: ExitStatus | null = null;
          const { text: words, host } = wording(line);
          const shown = line.kind === 'run' ? expand(words) : words;
          const startedAt = env.clock.now();
          switch (line.kind) {
            case 'title':
            case 'say':
              break;
            case 'wait':
              await sleep(env.clock, line.ms, signal);
              break;
            case 'stop':
              await end(programs.filter(({ host }) => host === line.host));
              break;
            case 'run': {
              const program = start(line, line.host === 'A' ? env : lab.host(line.host), signal);
              if (line.background) programs.push(program);
              else {
                const ended = await program.ended;
                learn(program, ended);
                status = ended.status;
              }
            }
          }
          const active = line.kind === 'run' || line.kind === 'stop' || line.kind === 'wait';
          if (active) await sleep(env.clock, SETTLE_MS, signal);
          steps.push({
            kind: line.kind,
            text: shown,
            host,
            status,
            output: output.splice(0),
            diagram: since(startedAt, diagram(lab.trace.slice(seen), drawn)),
          });
          seen = lab.trace.length;
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        await end([...programs]);
      }
    },
    { signal: context.signal },
  );
  if (output.length > 0)
    steps.push({
      kind: 'stop',
      text: '',
      host: null,
      status: null,
      output: output.splice(0),
      diagram: diagram(lab.trace.slice(seen), drawn),
    });
  return {
    addresses: lab.addresses,
    steps,
    tables: lab.routers.map((router) => ({ router, rows: lab.table(router) })),
  };
}

/** Times from the beginning of the step. */
const since = (startedAt: number, { participants, steps }: Diagram): Diagram => ({
  participants,
  steps: steps.map((step) => ({ ...step, atMs: step.atMs - startedAt })),
});

async function* one(input: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(input);
}

function wording(line: ScriptLine): { readonly text: string; readonly host: string | null } {
  switch (line.kind) {
    case 'title':
    case 'say':
      return { text: line.text, host: null };
    case 'wait':
      return { text: `${line.ms / 1000} seconds pass.`, host: null };
    case 'stop':
      return { text: `Ctrl-C on ${line.host}.`, host: line.host };
    case 'run':
      return { text: line.command, host: line.host };
  }
}

/** `$B`, `$N`: the first address of a host, and the outside address of a router. */
function addressesOf(lab: Lab): Record<string, string> {
  const addresses: Record<string, string> = {};
  for (const name of lab.hosts) {
    const address = lab
      .host(name)
      .interfaces()
      .find(({ internal, family }) => !internal && family === 4)?.address;
    if (address) addresses[name] = address;
  }
  return { ...addresses, ...lab.outsides };
}

/** The public side that a report names, as `address:port` where it has a port: from punch, listen, public-ip, stun and detect. */
function publicSide({ data }: Report): string | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  if ('public' in data && typeof data.public === 'string') return data.public;
  // Behind a symmetric NAT this is not what the remote end will see, but it is all that there is to tell it.
  if ('stun' in data && Array.isArray(data.stun)) return firstMapped(data.stun);
  if ('results' in data && Array.isArray(data.results)) return firstMapped(data.results);
  if ('address' in data && typeof data.address === 'string' && isAddress(data.address)) {
    if (!('port' in data) || typeof data.port !== 'number') return undefined;
    return familyOf(data.address) === 6 ? `[${data.address}]:${data.port}` : `${data.address}:${data.port}`;
  }
  return undefined;
}

const firstMapped = (results: readonly { readonly mapped?: string | null }[]): string | undefined =>
  results.find(({ mapped }) => typeof mapped === 'string')?.mapped ?? undefined;
