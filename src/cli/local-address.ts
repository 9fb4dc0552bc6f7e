/** Local addresses and ports that the command line names. */
import { type AnyArgs, type Command, type OptionSpec, UsageError } from '../commands/command.ts';
import { familyOf, scopeOf } from '../net/address.ts';
import { type Env, NetError } from '../net/env.ts';
import { kebab } from './options.ts';

/** A local address or port that cannot be used is a wrong argument, whatever the command would make of the failure. */
export async function checkLocalAddresses(
  command: Command,
  args: AnyArgs,
  env: Env,
  signal: AbortSignal,
): Promise<void> {
  const options = Object.entries(command.options);
  /** The value of the option for which this holds, whatever its name. */
  const given = (is: (spec: OptionSpec) => boolean): unknown => args[options.find(([, spec]) => is(spec))?.[0] ?? ''];
  const family = given(({ type }) => type === 'family');
  const source = given(({ means }) => means === 'local-address');
  for (const [name, { means }] of options) {
    const value: unknown = args[name];
    if (means === 'local-address' && typeof value === 'string')
      await checkLocalAddress(`--${kebab(name)}`, value, family, env, signal);
    if (means === 'free-port' && typeof value === 'number' && value > 0)
      await checkFreePort(
        `--${kebab(name)}`,
        value,
        typeof source === 'string' ? source : undefined,
        family,
        env,
        signal,
      );
  }
}

async function checkLocalAddress(
  option: string,
  source: string,
  family: unknown,
  env: Env,
  signal: AbortSignal,
): Promise<void> {
  if (family !== undefined && familyOf(source) !== family)
    throw new UsageError(`${option}: ${source} is not an IPv${String(family)} address, as -${String(family)} demands`);
  if (lacksZone(source)) throw new UsageError(`${option}: a link-local address needs its interface: ${source}%eth0`);
  try {
    (await env.udp.open({ family: familyOf(source), address: source }, signal)).close();
  } catch (error) {
    if (error instanceof NetError && error.kind === 'not-available')
      throw new UsageError(`${option}: ${source} is not an address of this host`);
    // Whatever else is wrong the command will meet again, and say in its own words.
    if (!(error instanceof NetError)) throw error;
  }
}

async function checkFreePort(
  option: string,
  port: number,
  address: string | undefined,
  family: unknown,
  env: Env,
  signal: AbortSignal,
): Promise<void> {
  const own = address === undefined ? (family === 6 ? 6 : 4) : familyOf(address);
  try {
    (await env.udp.open({ family: own, port, ...(address !== undefined && { address }) }, signal)).close();
  } catch (error) {
    if (error instanceof NetError && error.kind === 'in-use')
      throw new UsageError(`${option}: UDP port ${port} is in use by another program`);
    if (!(error instanceof NetError)) throw error;
  }
}

const lacksZone = (address: string): boolean =>
  familyOf(address) === 6 && scopeOf(address) === 'link-local' && !address.includes('%');
