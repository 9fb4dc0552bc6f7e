/** What `serve` reads from files, and reads again on SIGHUP: who may log in at its relay, and its certificate. */
import type { TlsIdentity } from '../../net/env.ts';
import { isOpaqueString } from '../../stun/credentials.ts';
import { firstOf, fixedUsers, restUsers, type Users } from '../../turn/users.ts';
import type { Context } from '../command.ts';
import { credentialsOf } from '../credentials.ts';
import { UsageError } from '../usage-error.ts';
import type { Args } from './options.ts';

/** Holds secrets of time-limited logins, with white space between them. */
const SECRET_VARIABLE = 'NAT_TOOL_TURN_SECRET';

export interface Logins {
  /** As the files say now. */
  readonly users: Users;
  readonly identity: TlsIdentity | undefined;
}

type Readable = Pick<Context, 'readFile' | 'environment'>;

/** Throws UsageError where a file cannot be read, or does not say what it should. */
export async function readLogins(args: Args, context: Readable): Promise<Logins> {
  const identity = await identityOf(args, context);
  if (!args.turn) {
    const idle = (['users', 'secrets'] as const).find((name) => args[name] !== undefined);
    if (idle) throw new UsageError(`--${idle} is for --turn, which is not given`);
    return { users: () => undefined, identity };
  }
  const users =
    args.users === undefined ? new Map<string, string>() : parseUsers(await read(args.users, context), args.users);
  const own = credentialsOf(context.environment);
  if (own) users.set(own.username, own.password);
  const secrets = [
    ...(args.secrets === undefined ? [] : linesOf(await read(args.secrets, context))),
    ...(context.environment[SECRET_VARIABLE] ?? '').split(/\s+/).filter(Boolean),
  ];
  if (users.size === 0 && secrets.length === 0)
    throw new UsageError(
      '--turn: nobody could log in',
      `Name users with --users FILE, or a secret of time-limited logins with --secrets FILE or in ${SECRET_VARIABLE}.`,
    );
  return { users: firstOf(fixedUsers(users), restUsers(secrets)), identity };
}

async function identityOf({ cert, key }: Args, context: Readable): Promise<TlsIdentity | undefined> {
  if ((cert === undefined) !== (key === undefined)) throw new UsageError('--cert and --key: both of them, or neither');
  return cert === undefined || key === undefined
    ? undefined
    : { cert: await read(cert, context), key: await read(key, context) };
}

const MOST_BYTES = 16 * 1024 * 1024;
async function read(path: string, context: Readable): Promise<string> {
  const bytes = await context.readFile(path, MOST_BYTES);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // What could not be read as it was meant would be a password that nobody can give.
    throw new UsageError(`'${path}' is no text in UTF-8`);
  }
}

/** Without those that are empty or begin with `#`. */
const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

/** The password is what stands behind the first colon. */
function parseUsers(text: string, path: string): Map<string, string> {
  const users = new Map<string, string>();
  for (const [i, line] of text.split('\n').entries()) {
    const entry = line.trim();
    if (entry === '' || entry.startsWith('#')) continue;
    const at = entry.indexOf(':');
    const [name, password] = [entry.slice(0, at), entry.slice(at + 1)];
    // Never the line itself: it holds a password.
    if (at < 1 || !isOpaqueString(name) || !isOpaqueString(password))
      throw new UsageError(`--users: line ${i + 1} of '${path}' is not name:password`);
    if (users.has(name)) throw new UsageError(`--users: line ${i + 1} of '${path}' names ${name} a second time`);
    users.set(name, password);
  }
  return users;
}
