/** Many servers asked at once, or the first of the built-in ones that answers. */
import { Waits, mapBounded, scope } from '../../net/wait.ts';
import { type QueryOptions, type QueryResult, query } from '../../probe/query/query.ts';
import { defaultServers } from '../../probe/servers.ts';
import type { StunServerName } from '../../stun/uri.ts';
import { parseAnyStun } from '../arguments.ts';
import type { Context } from '../command.ts';

/** Servers asked at the same time; each costs one or two sockets. */
const AT_ONCE = 128;

/** Built-in servers asked when none is named; the first answer ends it. */
const BUILT_IN = 5;

/** In the order of the names; when interrupted, those that are done. */
export async function all(
  names: readonly StunServerName[],
  options: QueryOptions,
  { env, signal, progress }: Context,
): Promise<QueryResult[]> {
  let done = 0;
  let answered = 0;
  const say = () =>
    progress(
      names.length === 1
        ? `asking ${names[0]?.host}`
        : `asked ${done} of ${names.length} servers, ${answered} answered`,
    );
  say();
  const each = new Waits(signal);
  const results = await mapBounded(names, AT_ONCE, async (name) => {
    if (signal.aborted) return undefined;
    try {
      const result = await each.run((within) => query(env, name, options, within));
      done++;
      if (result.mapped !== null) answered++;
      say();
      return result;
    } catch (error) {
      if (!signal.aborted) throw error;
      return undefined;
    }
  }).finally(() => each.end());
  return results.filter((result) => result !== undefined);
}

/** The first of the built-in servers that answers, or, when none does, what became of each. */
export async function anyBuiltIn(options: QueryOptions, context: Context): Promise<QueryResult[]> {
  const rest = scope(context.env.clock, context.signal);
  const names = defaultServers(context.environment)
    .filter(({ rfc5780 }) => rfc5780 || !options.vet)
    .slice(0, BUILT_IN)
    .map(({ server }) => parseAnyStun(server, 'NAT_TOOL_SERVER'));
  context.progress('asking public servers');
  let first: QueryResult | undefined;
  const results = await Promise.all(
    names.map(async (name) => {
      try {
        const result = await query(context.env, name, options, rest.signal);
        if (result.mapped !== null && result.doubt === null && !first) {
          first = result;
          rest.abort();
        }
        return result;
      } catch (error) {
        if (!rest.signal.aborted) throw error;
        return undefined;
      }
    }),
  ).finally(() => rest.end());
  return first ? [first] : results.filter((result) => result !== undefined);
}
