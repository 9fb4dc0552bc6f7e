/** User name and password for STUN servers that want them (RFC 8489 §9.2), and what is said of one that refuses us. */
import { formatEndpoint } from '../net/address.ts';
import type { Credentials } from '../stun/client.ts';
import { type Decoded, get } from '../stun/message.ts';

/** The environment variables that hold them. */
export const LOGIN_VARIABLES = { username: 'NAT_TOOL_USERNAME', password: 'NAT_TOOL_PASSWORD' } as const;

const both = `${LOGIN_VARIABLES.username} and ${LOGIN_VARIABLES.password}`;

/** Of an error answer. `needed`: it was given no credentials, and wants some; `refused`: it does not take those that it was given. */
export type LoginFault = 'needed' | 'refused';

/** What a code says of our credentials, or of our having none. */
export const loginOf = (code: number, credentials: Credentials | undefined): LoginFault | undefined =>
  code === 401 || code === 438 ? (credentials ? 'refused' : 'needed') : undefined;

export const LOGIN_WORDS: Readonly<Record<LoginFault, string>> = {
  needed: `it wants a user name and password (${both})`,
  refused: `it does not take the user name and password in ${both}`,
};

/** An error answer in words. */
export function errorAnswerWords(
  {
    code,
    reason,
    message,
    circular,
  }: {
    readonly code: number;
    readonly reason: string;
    readonly message?: Decoded | undefined;
    readonly circular?: true | undefined;
  },
  credentials: Credentials | undefined,
): string {
  const login = loginOf(code, credentials);
  const elsewhere = code === 300 && message ? get(message, 'ALTERNATE-SERVER') : undefined;
  const more = login
    ? LOGIN_WORDS[login]
    : elsewhere &&
      (circular
        ? `it redirects back to ${formatEndpoint(elsewhere)}, in a circle`
        : `it redirects to ${formatEndpoint(elsewhere)}`);
  return `error ${code}${reason && ` (${reason})`}${more ? `: ${more}` : ''}`;
}
