/** From what was seen of a WebRTC connection that does not come about to its one cause. Pure. */
import type { Profile } from '../../nat/profile.ts';
import { type Judgement, judgementOf } from '../../connect/traversal/strategy.ts';
import type { TurnCause } from '../turn-check/result.ts';

export type WebrtcCause =
  | 'no-browser' //           nobody opened the page
  | 'no-webrtc' //            the browser has none, or something switched it off
  | 'no-candidates' //        it offers no way to reach it: a policy, or an extension of a VPN
  | 'no-relay' //             relays alone are allowed, and there is none
  | 'relay-failed' //         there is one, but it gives no relay
  | 'browser-udp-blocked'
  | 'terminal-udp-blocked'
  | 'no-public-address' //    no STUN server told either side how it is seen
  | 'local-addresses-hidden' // mDNS names alone, and no way between the two in the local network
  | 'ports-must-be-guessed' // symmetric against port-restricted or symmetric
  | 'no-path'
  | 'dtls-blocked' //         STUN passes, and DTLS does not
  | 'dtls-failed'
  | 'fingerprint-wrong'
  | 'sctp-stalled'
  | 'consent-lost'
  | 'browser-left';

/** One of the two. */
export interface SideEvidence {
  /** All that it told, names included. */
  readonly candidates: number;
  readonly hosts: number;
  /** Hosts whose address a name hides. */
  readonly hidden: number;
  /** Public sides that servers told it. */
  readonly mapped: number;
  readonly relayed: number;
  /** It has an address of the internet. */
  readonly open: boolean;
  readonly profile: Profile;
  /** No more will come. */
  readonly gathered: boolean;
}

export interface Evidence {
  /** Since the offer came, ms. */
  readonly elapsedMs: number;
  readonly relayOnly: boolean;
  /** STUN servers that both were told of. */
  readonly servers: number;
  /** What a check of the TURN server found; undefined where there is none, or it goes on. */
  readonly relay: TurnCause | 'works' | undefined;
  /** One was named. */
  readonly hasRelay: boolean;
  readonly terminal: SideEvidence;
  readonly browser: SideEvidence;
  /** Authenticated checks of the browser that came in, and answers to ours. */
  readonly checksIn: number;
  readonly answersIn: number;
}

export interface Verdict {
  readonly cause: WebrtcCause;
  /** There is nothing to wait for. */
  readonly final: boolean;
}

/** A cause is named so soon; what is not certain by then may still come about. */
export const NAMED_MS = 2_500;
/** Nothing that works takes so long: STUN's own repetitions are over long before. */
export const HOPELESS_MS = 12_000;
/** For a browser to show the first of its candidates. */
const SILENT_MS = 2_000;

/** Why there is no pair of addresses that works, as far as it can be told now; undefined where it is too early. */
export function causeOf(evidence: Evidence): Verdict | undefined {
  const { elapsedMs, relayOnly, hasRelay, relay, browser, terminal } = evidence;
  if (relayOnly) {
    if (!hasRelay) return { cause: 'no-relay', final: true };
    if (relay !== undefined && relay !== 'works' && browser.relayed === 0 && terminal.relayed === 0)
      return { cause: 'relay-failed', final: true };
  } else if (browser.candidates === 0 && (browser.gathered || elapsedMs >= SILENT_MS))
    return { cause: 'no-candidates', final: browser.gathered };
  if (elapsedMs < NAMED_MS) return undefined;
  // What may still come is the relay: as long as one is on its way nothing else is the last word.
  const relayed = hasRelay && relay !== undefined && relay !== 'works';
  const cause = relayOnly ? 'relay-failed' : direct(evidence);
  const sure = cause !== 'no-path' && (!hasRelay || relayed);
  return { cause, final: sure || elapsedMs >= HOPELESS_MS };
}

function direct(evidence: Evidence): WebrtcCause {
  const { servers, terminal, browser, checksIn } = evidence;
  const [seenHere, seenThere] = [terminal.mapped > 0 || terminal.open, browser.mapped > 0 || browser.open];
  if (servers > 0) {
    if (seenHere && !seenThere && checksIn === 0) return 'browser-udp-blocked';
    if (!seenHere && seenThere) return 'terminal-udp-blocked';
    if (!seenHere && !seenThere) return 'no-public-address';
  }
  if (browser.hosts > 0 && browser.hidden === browser.hosts && browser.mapped === 0 && checksIn === 0)
    return 'local-addresses-hidden';
  return isGuess(judgeBoth(evidence)) ? 'ports-must-be-guessed' : 'no-path';
}

/** With what is known of both NATs. */
export const judgeBoth = ({ terminal, browser }: Pick<Evidence, 'terminal' | 'browser'>): Judgement =>
  judgementOf(terminal.profile, browser.profile);

/** Browsers guess no ports. */
const isGuess = ({ kind }: Judgement): boolean =>
  kind === 'guess' || kind === 'meet' || kind === 'hopeless' || kind === 'crossed';
