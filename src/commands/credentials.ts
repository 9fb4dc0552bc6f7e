/** The user name and password of the environment, for STUN servers that want them. */
import { LOGIN_VARIABLES } from '../report/login.ts';
import type { Credentials } from '../stun/client.ts';
import { CredentialError, opaqueString } from '../stun/credentials.ts';
import type { Context } from './command.ts';
import { UsageError } from './usage-error.ts';

/** Undefined where none are set. Throws UsageError where one is missing, or cannot be sent. */
export function credentialsOf(
  environment: Context['environment'],
  kind: Credentials['kind'] = 'long-term',
): Credentials | undefined {
  const [username, password] = [environment[LOGIN_VARIABLES.username], environment[LOGIN_VARIABLES.password]];
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined || password === undefined)
    throw new UsageError(`${LOGIN_VARIABLES.username} and ${LOGIN_VARIABLES.password} must be set both or neither`);
  checkText(username, LOGIN_VARIABLES.username);
  checkText(password, LOGIN_VARIABLES.password);
  return { kind, username, password };
}

function checkText(text: string, variable: string): void {
  try {
    opaqueString(text);
  } catch (error) {
    throw error instanceof CredentialError ? new UsageError(`${variable}: ${error.message}`) : error;
  }
}
