/** Finds a STUN server that is fit to be the outside, and proves it: RESPONSE-PORT must work in both directions before anything rests on it. */
import { type Endpoint, familyOf, formatEndpoint } from '../../net/address.ts';
import type { NetError } from '../../net/env.ts';
import { errorWords } from '../../net/error-words.ts';
import { briskSchedule } from '../../net/schedule.ts';
import { type Doubt, doubtInWords, doubtOf, type Ground, plain } from '../../nat/evidence.ts';
import { transact } from '../../stun/client.ts';
import { mappedAddress } from '../../stun/message.ts';
import { StunMux } from '../../stun/mux.ts';
import { Field, type LifetimeEnv } from './field.ts';
import { findControl, type Proven, proves } from './proof.ts';
import { ResponsePort } from './response-port.ts';

const ANSWER_MS = 3_000;
/** Why a server cannot be used. */
export type Unfit =
  | { readonly kind: 'no-answer' }
  | { readonly kind: 'refused'; readonly error: NetError }
  | { readonly kind: 'error-answer'; readonly code: number; readonly reason: string }
  | { readonly kind: 'doubted'; readonly doubt: Doubt; readonly words: string }
  /** It answers where it is asked from, whatever RESPONSE-PORT says, or not at all. */
  | { readonly kind: 'no-response-port' }
  /** There is no relay on it, or nothing goes through. */
  | { readonly kind: 'no-relay'; readonly words: string }
  /** No two sockets share a public address. */
  | { readonly kind: 'addresses-differ'; readonly addresses: readonly string[] };

export type Crossed = Proven | { readonly server: Endpoint; readonly unfit: Unfit };

/** Closes what it opened unless it is proven. Rejects with NetError where no socket can be had, or the signal's reason. */
export async function cross(
  env: LifetimeEnv,
  server: Endpoint,
  source: string | undefined,
  ground: Ground,
  signal: AbortSignal,
): Promise<Crossed> {
  const { clock, random } = env;
  const socket = await env.udp.open({ family: familyOf(server.address), address: source }, signal);
  let field: Field | undefined;
  let proven = false;
  const unfit = (why: Unfit): Crossed => ({ server, unfit: why });
  try {
    const schedule = briskSchedule(ANSWER_MS);
    const asked = await transact(new StunMux(socket), {}, { to: server, schedule, clock, random, signal });
    if (asked.kind === 'network-error') return unfit({ kind: 'refused', error: asked.error });
    if (asked.kind === 'error-answer') return unfit({ kind: 'error-answer', code: asked.code, reason: asked.reason });
    const told = asked.kind === 'answered' ? mappedAddress(asked.message) : undefined;
    if (!told) return unfit({ kind: 'no-answer' });
    const mapped = plain(told);
    const doubt = doubtOf({ remote: server, mapped }, ground);
    if (doubt) return unfit({ kind: 'doubted', doubt, words: doubtInWords(doubt, mapped) });
    const outside = new ResponsePort(random, socket, server, mapped);
    field = new Field(env, outside, source);
    field.packets += asked.sent;
    field.mappings++;
    const control = await findControl(field, signal);
    if ('addresses' in control)
      return unfit(
        control.addresses.length > 0
          ? { kind: 'addresses-differ', addresses: [...new Set([mapped.address, ...control.addresses])] }
          : { kind: 'no-answer' },
      );
    proven = await proves(field, control, () => outside.ignored, signal);
    return proven
      ? { server, field, control, public: mapped, local: socket.local }
      : unfit({ kind: 'no-response-port' });
  } finally {
    if (!proven) {
      field?.closeAll();
      socket.close();
    }
  }
}

export const unfitInWords = ({ server, unfit }: { readonly server: Endpoint; readonly unfit: Unfit }): string => {
  const name = formatEndpoint(server);
  switch (unfit.kind) {
    case 'no-answer':
      return `no answer from ${name}`;
    case 'refused':
      return errorWords(unfit.error);
    case 'error-answer':
      return `${name} answers with error ${unfit.code}`;
    case 'doubted':
      return `what ${name} says does not count: ${unfit.words}`;
    case 'no-response-port':
      return `${name} does not honour RESPONSE-PORT`;
    case 'no-relay':
      return unfit.words;
    case 'addresses-differ':
      return `no two sockets have one public address (${unfit.addresses.join(', ')})`;
  }
};
