/** What is to be said of a TURN server, with what helps. */
import type { Family } from '../../net/address.ts';
import type { Env } from '../../net/env.ts';
import { parseEndpoint } from '../../net/host-port.ts';
import { type LookupFailure, lookupFindings, unreachable } from '../../probe/servers-lookup.ts';
import type { TurnResult } from '../../probe/turn-check/result.ts';
import { type Finding, finding } from '../../report/finding.ts';

/** Whether data went through the relay and back, and nothing else is wrong. */
export const works = ({ cause, data: { peer, relay } }: TurnResult): boolean =>
  cause === null && ((peer?.in.received ?? 0) > 0 || (relay?.received ?? 0) > 0);

/** `family`: the one that was asked for, where one was. */
export const findingsOf = (
  results: readonly TurnResult[],
  env: Pick<Env, 'interfaces'>,
  family: Family | undefined,
): Finding[] => [
  ...lookupFindings(
    results.filter(({ error }) => isUnresolved(error)).map((result) => unresolved(result, family)),
    env,
  ),
  ...results.flatMap((result) => [...ofCause(result, env), ...beside(result)]),
];

const isUnresolved = (error: TurnResult['error']): boolean =>
  error === 'not-found' || error === 'resolver' || error === 'family-missing';

const unresolved = ({ server, error, detail }: TurnResult, family: Family | undefined): LookupFailure => ({
  host: server,
  exists: error === 'resolver',
  family: error === 'family-missing' ? family : undefined,
  error: detail ?? '',
});

function ofCause(result: TurnResult, env: Pick<Env, 'interfaces'>): Finding[] {
  const { transport, cause } = result;
  const server = result.address === 'unknown' ? result.server : result.address;
  const of = { server, transport };
  const detail = result.detail ?? '';
  const code = result.steps.find((step) => step.code !== null)?.code ?? null;
  const relayed = result.relayed ?? 'unknown';
  const mapped = result.mapped ?? 'unknown';
  switch (cause) {
    case null:
      return [];
    case 'no-answer':
      if (isUnresolved(result.error)) return [];
      if (result.error === 'unreachable') return [unreachable(server, '', env)];
      return [finding('turn-no-answer', { ...of, detail })];
    case 'udp-blocked':
      return [finding('turn-udp-blocked', of)];
    case 'refused':
      return [finding('turn-refused', of)];
    case 'login-refused':
      return [
        finding('turn-login-refused', { ...of, username: result.username ?? '', code, expiresAt: result.expiresAt }),
      ];
    case 'login-expired':
      return [finding('turn-login-expired', { ...of, expiresAt: result.expiresAt ?? '' })];
    case 'login-needed':
      return [finding('turn-login-needed', of)];
    case 'relay-address-private':
      return [finding('turn-relay-address-private', { ...of, relayed })];
    case 'relay-ports-closed':
      return [finding('turn-relay-ports-closed', { ...of, relayed, elsewhere: isElsewhere(result) })];
    case 'relay-one-way':
      return [finding('turn-relay-one-way', { ...of, mapped })];
    case 'peer-denied':
      return [
        finding('turn-peer-denied', { ...of, peer: isDenied(result) ? mapped : null, code, sameHost: isHere(result) }),
      ];
    case 'quota':
      return [finding('turn-quota', of)];
    case 'no-capacity':
      return [finding('turn-no-capacity', { ...of, code, detail })];
    case 'tls-certificate':
      return [finding('turn-tls-certificate', { ...of, detail })];
    case 'not-turn':
      return [finding('turn-not-turn', { ...of, detail, took: result.relayed !== null })];
    case 'permission-lost':
      return [finding('turn-permission-lost', { ...of, detail })];
    case 'allocation-lost':
      return [finding('turn-allocation-lost', { ...of, detail, refresh: unrefreshed(result) })];
  }
}

/** Another host's address than the one that was asked, as far as the addresses tell. */
function isElsewhere({ address, relayed }: TurnResult): boolean {
  return parseEndpoint(address)?.address !== parseEndpoint(relayed ?? '')?.address;
}

/** The check runs on the host of the server. */
const isHere = ({ address, mapped }: TurnResult): boolean =>
  parseEndpoint(address)?.address === parseEndpoint(mapped ?? '')?.address;

/** How a refresh failed on an allocation that stood. */
function unrefreshed({ detail, steps }: TurnResult): string | null {
  const step = steps.find((each) => each.step === 'refresh');
  if (detail !== null || step?.ok) return null;
  return step?.code ? `error ${step.code}` : 'no answer';
}

/** This host itself is denied, and not only the relay's own addresses. */
const isDenied = ({ steps }: TurnResult): boolean => steps.some(({ step, ok }) => step === 'permission' && !ok);

/** What is worth knowing of one that works. */
function beside(result: TurnResult): Finding[] {
  if (!works(result)) return [];
  const { transport, data, steps, address: server } = result;
  const of = { server, transport };
  const code = steps.find(({ step, ok }) => step === 'relay' && !ok)?.code;
  const sent = (data.peer?.sent ?? 0) + (data.relay?.sent ?? 0);
  const lost = sent - (data.peer?.received ?? 0) - (data.relay?.received ?? 0);
  if (data.peer && data.relay?.received === 0) return [finding('turn-relays-apart', of)];
  return [
    ...(data.peer ? [] : [finding('turn-half-tested', of)]),
    ...(code ? [finding('turn-second-refused', { ...of, code })] : []),
    ...(lost > 0 ? [finding('turn-loss', { ...of, lost, sent })] : []),
  ];
}
