/** `lab --all`: one command behind every NAT, with the truth beside its verdict. */
import { type Block, type Cell, grid, text } from '../../render/block.ts';
import { DEFAULT_SERVER, SECOND_SERVER, SERVER_ADDRESSES_6 } from '../../lab/topology.ts';
import type { Context } from '../command.ts';
import type { All, LabRun } from './data.ts';
import { networkOf } from './network.ts';
import { runOnce } from './one.ts';
import type { Args } from './options.ts';

/** Every NAT that `--all` tries. */
const EVERY_NAT: readonly string[] = [
  'none',
  'firewall',
  'full-cone',
  'restricted-cone',
  'port-restricted-cone',
  'port-restricted-cone,ports=preserving,hairpin',
  'symmetric',
  'symmetric,ports=sequential:2,hairpin',
  'symmetric,ports=random',
  'symmetric,filtering=ei,ports=block:512',
  'cgnat',
  'linux',
  'blocked',
];

/** The type that a report states, or how the command ended. */
function verdictOf({ report, status }: LabRun): string {
  const data: unknown = report?.data;
  if (typeof data === 'object' && data !== null && 'type' in data && typeof data.type === 'string') return data.type;
  return `exit ${status}`;
}

/** Behind every NAT; when interrupted, those that have been tried. */
export async function playAll(args: Args, context: Context): Promise<All> {
  const network = networkOf(args, args.nat2);
  // Silence of one server proves nothing of a network: a second one is at hand.
  const servers = [
    ...(network.servers ?? [
      { ...DEFAULT_SERVER, addresses: [...DEFAULT_SERVER.addresses, ...(args.ipv6 ? SERVER_ADDRESSES_6 : [])] },
    ]),
    SECOND_SERVER,
  ];
  const options = { ...network, servers };
  const runs: LabRun[] = [];
  for (const nat of EVERY_NAT) {
    context.progress(`behind ${nat}`);
    const { run } = await runOnce({ ...options, nat }, args.command, context);
    if (context.signal.aborted) break;
    runs.push(run);
  }
  const verdicts = runs.map((run) => {
    const verdict = verdictOf(run);
    const truth = run.truth.type;
    return { nat: run.nat, truth, verdict, right: verdict === truth, elapsedMs: run.elapsedMs };
  });
  return { kind: 'all', runs, verdicts };
}

const verdictCell = (verdict: string, right: boolean): Cell => ({
  text: verdict,
  tone: right ? 'good' : verdict === 'unknown' ? 'warn' : 'bad',
});

export function viewAll({ verdicts }: All): Block[] {
  const wrong = verdicts.filter(({ right }) => !right).length;
  return [
    grid(
      [{ title: 'NAT', wrap: true }, 'Truth', 'Verdict', { title: 'ms', align: 'right' }],
      verdicts.map(({ nat, truth, verdict, right, elapsedMs }) => [
        nat.replaceAll(',', ', '),
        truth,
        verdictCell(verdict, right),
        String(Math.round(elapsedMs)),
      ]),
    ),
    text(
      wrong === 0 && verdicts.length === EVERY_NAT.length
        ? `All ${verdicts.length} right.`
        : `${verdicts.length - wrong} of ${verdicts.length} right.`,
      wrong === 0 ? 'good' : 'bad',
    ),
  ];
}
