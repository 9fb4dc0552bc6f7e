/** From an attempt, as far as it came, to data and findings. */
import type { CheckResult } from '../../probe/webrtc/check.ts';
import { Facts } from '../../probe/webrtc/facts.ts';
import type { Finding } from '../../report/finding.ts';
import type { WebrtcPeer } from '../../webrtc/peer.ts';
import type { Context } from '../command.ts';
import { findingsOf as turnFindings } from '../turn/findings.ts';
import type { Ground } from './ground.ts';
import type { Args } from './options.ts';
import { dataOf, findingsOf, type Told, type WebrtcData } from './report.ts';

export interface Concluded {
  readonly data: WebrtcData;
  readonly findings: Finding[];
}

export interface Attempt {
  readonly peer: WebrtcData['peer'];
  /** Undefined where nobody came. */
  readonly stack: WebrtcPeer | undefined;
  readonly facts: Facts | undefined;
  readonly sameHost?: boolean | undefined;
  /** The link to the page. */
  readonly url?: string | undefined;
  /** Why the browser cannot. */
  readonly incapable?: string | undefined;
  readonly result: CheckResult;
  readonly ground: Ground | undefined;
  readonly args: Args;
  readonly env: Context['env'];
}

export function conclude({
  peer,
  stack,
  facts: given,
  sameHost = false,
  url = '',
  incapable,
  result,
  ground,
  args,
  env,
}: Attempt): Concluded {
  const facts =
    given ??
    new Facts({
      clock: env.clock,
      relayOnly: args.relayOnly,
      hasRelay: args.turn !== undefined,
      servers: ground?.urls ?? [],
    });
  if (incapable !== undefined) facts.incapable = incapable;
  facts.measured = ground?.profile;
  const turn = ground?.turn;
  const bad = turn?.results.filter(({ relayed }) => relayed === null) ?? [];
  const failed = turn !== undefined && bad.length > 0 && bad.length === turn.results.length;
  const told: Told = {
    peer,
    url,
    sameHost,
    turn: turn && {
      server: turn.results[0]?.server ?? turn.name.host,
      why: failed ? (bad.at(-1)?.cause ?? undefined) : undefined,
    },
  };
  const data = dataOf(facts, stack, result, told);
  const findings = findingsOf(facts, stack, data, told);
  const relay = failed ? turnFindings(bad.slice(-1), env, args.family) : [];
  return { data, findings: [...(ground?.findings ?? []), ...findings, ...relay] };
}
