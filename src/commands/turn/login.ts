/** The login for TURN servers: a user name and password, or one made with a shared secret. */
import type { Clock } from '../../net/env.ts';
import { restLogin } from '../../turn/rest-login.ts';
import { UsageError } from '../command.ts';
import type { Context } from '../command.ts';
import { credentialsOf } from '../credentials.ts';

/** The environment variable with the secret that server and issuer share. */
const SECRET = 'NAT_TOOL_TURN_SECRET';

/** A login made with the secret. */
export interface Issued {
  readonly username: string;
  readonly password: string;
  readonly ttlS: number;
  /** ISO 8601. */
  readonly expiresAt: string;
}

/** Throws UsageError where there is no secret. */
export function issue(environment: Context['environment'], clock: Clock, ttlS: number, name: string): Issued {
  const secret = environment[SECRET];
  if (!secret)
    throw new UsageError(
      `--credential: ${SECRET} is not set`,
      'Put the secret that the TURN server knows (coturn: static-auth-secret) into that environment variable.',
    );
  const expiry = Math.floor(clock.date().getTime() / 1000) + ttlS;
  return {
    ...restLogin(secret, { expiresAt: expiry, name }),
    ttlS,
    expiresAt: new Date(expiry * 1000).toISOString(),
  };
}

/** User name and password of the environment; where there are none, one made with the secret, if that is there. Throws UsageError. */
export function turnLogin(
  environment: Context['environment'],
  clock: Clock,
  ttlS: number,
): { readonly username: string; readonly password: string } | undefined {
  const given = credentialsOf(environment);
  if (given) return { username: given.username, password: given.password };
  return environment[SECRET] ? issue(environment, clock, ttlS, 'nat-tool') : undefined;
}
