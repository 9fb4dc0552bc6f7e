/** Why a router does not open a port, whichever protocol says so, and in words. Pure. */
import { scopeOf } from '../net/address.ts';
import { NAT_PMP_RESULTS } from './nat-pmp.ts';
import { PCP_RESULTS } from './pcp.ts';

export type Protocol = 'pcp' | 'nat-pmp' | 'upnp';

export const PROTOCOL_NAMES = { pcp: 'PCP', 'nat-pmp': 'NAT-PMP', upnp: 'UPnP' } as const satisfies Record<
  Protocol,
  string
>;

/** Why a router does not open a port. */
export type RefusalKind =
  | 'not-authorized' // switched off, or not for this host or port
  | 'second-nat' //     the router itself stands behind another NAT
  | 'no-network' //     it has no connection to the internet
  | 'no-resources' //   its table, or our share of it, is full
  | 'port-taken' //     somebody else has that port
  | 'not-kept' //       it said yes, and has no such mapping
  | 'unsupported' //    it does not know how
  | 'silent' //         it no longer answers
  | 'faulty'; //        its answer makes no sense

/** A router's refusal to open a port. */
export interface Refusal {
  readonly kind: RefusalKind;
  readonly protocol: Protocol;
  /** Its result or error code; absent where it gave none. */
  readonly code?: number | undefined;
  /** The router's own outside address, where it told. */
  readonly wan?: string | undefined;
}

/** A refusal for people: a clause about the router. */
export const refusalWords = ({ kind, wan, code }: Refusal): string => {
  const words = {
    'not-authorized': 'the router does not permit it',
    'second-nat': `the router is itself behind another NAT${wan === undefined ? '' : `, and has ${wan} outside`}`,
    'no-network': 'the router has no public address: it is offline, or behind another NAT',
    'no-resources': 'the router has no room for more',
    'port-taken': 'the port belongs to somebody else',
    'not-kept': 'the router said yes, but has no such mapping',
    unsupported: 'the router does not know how',
    silent: 'the router no longer answers',
    faulty: "the router's answer makes no sense",
  }[kind];
  return code === undefined ? words : `${words} (result ${code})`;
};

const PCP_KINDS: ReadonlyMap<number, RefusalKind> = new Map([
  [PCP_RESULTS.UNSUPP_VERSION, 'unsupported'],
  [PCP_RESULTS.NOT_AUTHORIZED, 'not-authorized'],
  [PCP_RESULTS.UNSUPP_OPCODE, 'unsupported'],
  [PCP_RESULTS.UNSUPP_PROTOCOL, 'unsupported'],
  [PCP_RESULTS.NETWORK_FAILURE, 'no-network'],
  [PCP_RESULTS.NO_RESOURCES, 'no-resources'],
  [PCP_RESULTS.USER_EX_QUOTA, 'no-resources'],
  [PCP_RESULTS.CANNOT_PROVIDE_EXTERNAL, 'port-taken'],
  [PCP_RESULTS.ADDRESS_MISMATCH, 'second-nat'],
]);

/**
 * A result of PCP that is no success. `assigned`: the external address in the answer; with an error, miniupnpd names the router's
 * own there. ADDRESS_MISMATCH is a NAT between us and the router.
 */
export function pcpRefusal(code: number, assigned?: string): Refusal {
  const wan = assigned !== undefined && scopeOf(assigned) !== 'unspecified' ? assigned : undefined;
  return about({ kind: PCP_KINDS.get(code) ?? 'faulty', protocol: 'pcp', code, wan });
}

const NAT_PMP_KINDS: ReadonlyMap<number, RefusalKind> = new Map([
  [NAT_PMP_RESULTS.UNSUPPORTED_VERSION, 'unsupported'],
  [NAT_PMP_RESULTS.NOT_AUTHORIZED, 'not-authorized'],
  [NAT_PMP_RESULTS.NETWORK_FAILURE, 'no-network'],
  [NAT_PMP_RESULTS.OUT_OF_RESOURCES, 'no-resources'],
  [NAT_PMP_RESULTS.UNSUPPORTED_OPCODE, 'unsupported'],
]);

/** A result of NAT-PMP that is no success. */
export const natPmpRefusal = (code: number): Refusal => ({
  kind: NAT_PMP_KINDS.get(code) ?? 'faulty',
  protocol: 'nat-pmp',
  code,
});

/** Errors of UPnP actions (WANIPConnection:2 §2.5, UDA 1.1 §3.2.2). Those that ask for another try are known to `igd-service.ts`. */
export const UPNP_ERRORS = {
  INVALID_ACTION: 401,
  ACTION_FAILED: 501,
  NOT_AUTHORIZED: 606,
  INDEX_INVALID: 713,
  NO_SUCH_ENTRY: 714,
  CONFLICT: 718,
  SAME_PORTS_REQUIRED: 724,
  ONLY_PERMANENT_LEASES: 725,
  NO_PORT_MAPS_AVAILABLE: 728,
  CONFLICT_WITH_OTHER: 729,
} as const;

const UPNP_KINDS: ReadonlyMap<number, RefusalKind> = new Map([
  [UPNP_ERRORS.INVALID_ACTION, 'unsupported'],
  [UPNP_ERRORS.NOT_AUTHORIZED, 'not-authorized'],
  [UPNP_ERRORS.CONFLICT, 'port-taken'],
  [UPNP_ERRORS.CONFLICT_WITH_OTHER, 'port-taken'],
  [UPNP_ERRORS.SAME_PORTS_REQUIRED, 'port-taken'],
  [UPNP_ERRORS.NO_PORT_MAPS_AVAILABLE, 'no-resources'],
  // "Action failed" is also what routers say whose table is full.
  [UPNP_ERRORS.ACTION_FAILED, 'no-resources'],
]);

/** An error of a UPnP action. `wan`: the external address that the router tells: where it is none, or not public, that is the reason. */
export function upnpRefusal(code: number | undefined, wan?: string): Refusal {
  const kind = (code === undefined ? undefined : UPNP_KINDS.get(code)) ?? 'faulty';
  const failed = code === UPNP_ERRORS.ACTION_FAILED;
  if (failed && wan === '') return { kind: 'no-network', protocol: 'upnp', code };
  return about({ kind, protocol: 'upnp', code, wan: wan || undefined });
}

/** A router whose own outside address is not public is behind another NAT, and that is the reason, whatever it says. */
function about(refusal: Refusal): Refusal {
  const { wan, kind } = refusal;
  if (wan === undefined || !isBehindNat(wan)) return refusal;
  return kind === 'no-resources' || kind === 'no-network' || kind === 'faulty'
    ? { ...refusal, kind: 'second-nat' }
    : refusal;
}

/** Whether an outside address is one that only another NAT gives. */
export function isBehindNat(address: string): boolean {
  const scope = scopeOf(address);
  return scope === 'private' || scope === 'shared' || scope === 'link-local';
}
