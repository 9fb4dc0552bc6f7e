/** Who may log in at a relay, and with what. */
import { restName, restPassword } from './rest-login.ts';

/** What a user name stands for. */
export interface Login {
  /** Any of these is right: two, while a secret is being replaced. */
  readonly passwords: readonly string[];
  /** Whom quotas count for. */
  readonly user: string;
  /** Relayed addresses of the user at a time; as the server has it when absent. */
  readonly most?: number | undefined;
  /** Whom it shares a bound with: so many relayed addresses together. */
  readonly group?: { readonly name: string; readonly most: number } | undefined;
  /** Members of one meeting, who may reach each other and nobody else; absent for users at large. */
  readonly meeting?: MeetingScope | undefined;
}

export interface MeetingScope {
  /** The same for both members. */
  readonly name: string;
  /** Whether the other member is seen at this address. */
  permits(address: string): boolean;
}

/** Looks a user name up; `date`: the time of day, ms since 1970. */
export type Users = (username: string, date: number) => Login | undefined;

/** Names with fixed passwords. */
export const fixedUsers =
  (passwords: ReadonlyMap<string, string>): Users =>
  (username) => {
    const password = passwords.get(username);
    return password === undefined ? undefined : { passwords: [password], user: username };
  };

/** Those whose time-limited logins bear no name are one user. */
const NAMELESS = 'time-limited';

/** Time-limited names; any of the secrets is right. The name behind the colon is the user: else each time stamp would be a new one. */
export const restUsers =
  (secrets: readonly string[]): Users =>
  (username, date) => {
    const rest = restName(username);
    if (!rest || rest.expiresAt * 1000 <= date) return undefined;
    return { passwords: secrets.map((secret) => restPassword(secret, username)), user: rest.name || NAMELESS };
  };

/** The first that knows the name. */
export const firstOf =
  (...all: readonly Users[]): Users =>
  (username, date) => {
    for (const users of all) {
      const login = users(username, date);
      if (login) return login;
    }
    return undefined;
  };
