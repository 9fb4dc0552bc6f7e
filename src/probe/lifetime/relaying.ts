/** Opens a relay, and proves that packets go both ways through it. */
import { type Endpoint, formatEndpoint } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { errorWords } from '../../net/error-words.ts';
import { type Ground, doubtInWords, doubtOf, plain } from '../../nat/evidence.ts';
import { TurnError } from '../../turn/failure.ts';
import { openRelay, type RelayEnv, type RelayOptions } from '../../turn/open.ts';
import { formatTurnServer, type TurnServerName } from '../../turn/uri.ts';
import type { Crossed } from './crossing.ts';
import { Field } from './field.ts';
import { findControl, proves } from './proof.ts';
import { RelayOutside } from './relay-outside.ts';

/** A TURN server, and how to log in. */
export interface RelayLogin extends Pick<RelayOptions, 'credentials' | 'family'> {
  readonly name: TurnServerName;
}

const NOWHERE: Endpoint = { address: '0.0.0.0', port: 0 };

/** Closes what it opened unless it is proven. Rejects with CredentialError, with NetError where no socket can be had, or with the signal's reason. */
export async function relayed(
  env: RelayEnv,
  { name, credentials, family }: RelayLogin,
  source: string | undefined,
  ground: Ground,
  signal: AbortSignal,
): Promise<Crossed> {
  const unfit = (words: string, server = NOWHERE): Crossed => ({ server, unfit: { kind: 'no-relay', words } });
  const socket = await openRelay(env, name, { credentials, source, family, relayFamily: family }, signal).catch(
    (error: unknown) => {
      if (error instanceof TurnError || error instanceof NetError) return error;
      throw error;
    },
  );
  if (socket instanceof TurnError) return unfit(`${formatTurnServer(name)}: ${socket.message}`);
  if (socket instanceof NetError) return unfit(`${formatTurnServer(name)}: ${errorWords(socket)}`);
  let proven = false;
  try {
    const server = socket.relay.link.server;
    const mapped = socket.relay.allocated?.mapped;
    if (!mapped) return unfit(`${formatEndpoint(server)} does not say how it sees us`, server);
    const doubt = doubtOf({ remote: server, mapped: plain(mapped) }, ground);
    if (doubt) return { server, unfit: { kind: 'doubted', doubt, words: doubtInWords(doubt, plain(mapped)) } };
    const field = new Field(env, new RelayOutside(socket, plain(mapped).address), source);
    field.mappings++;
    const control = await findControl(field, signal);
    proven = !('addresses' in control) && (await proves(field, control, () => false, signal));
    if (!proven || 'addresses' in control) {
      field.closeAll();
      return unfit(`nothing goes both ways between this host and the relay ${formatEndpoint(socket.local)}`, server);
    }
    return { server, field, control, public: control.mapped ?? mapped, local: control.socket.local };
  } finally {
    if (!proven) socket.close();
  }
}
