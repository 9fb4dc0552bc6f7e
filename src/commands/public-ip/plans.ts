/** Whom to ask. */
import { type Family, familyOf } from '../../net/address.ts';
import { METHODS, type Source, builtInSources, mayServe } from '../../probe/public-address/sources.ts';
import type { MethodPlan } from '../../probe/public-address/survey.ts';
import { defaultServers } from '../../probe/servers.ts';
import { checkFamily, parseStun } from '../arguments.ts';
import { type Context, UsageError } from '../command.ts';
import type { Args } from './options.ts';

/** Two that agree are an answer after one round trip. */
const STUN_AT_ONCE = 2;

/** Servers named by the user are the only ones asked, unless --via names further methods. */
export function plans(
  args: Args,
  environment: Context['environment'],
): { readonly family: Family; readonly methods: readonly MethodPlan[] }[] {
  checkFamily('--stun', args.stun, args);
  const ownStun: readonly Source[] = environment['NAT_TOOL_SERVER']
    ? defaultServers(environment).map(({ server }) => ({
        method: 'stun',
        server: parseStun(server, 'NAT_TOOL_SERVER'),
      }))
    : [];
  const named: readonly Source[] = [
    ...args.stun.map((server): Source => ({ method: 'stun', server })),
    ...args.dns,
    ...args.url,
  ];
  const chosen = new Set(args.via.flat());
  const methods = METHODS.filter((method) =>
    chosen.size > 0 ? chosen.has(method) : named.length === 0 || named.some((source) => source.method === method),
  );
  const unused = named.find((source) => !methods.includes(source.method));
  if (unused) throw new UsageError(`--via leaves out ${unused.method}, for which a server is named`);
  const families: readonly Family[] = args.family ? [args.family] : args.source ? [familyOf(args.source)] : [4, 6];
  return families.map((family) => ({
    family,
    methods: methods
      .map((method): MethodPlan => {
        const own = named.filter((source) => source.method === method);
        if (own.length > 0)
          return {
            method,
            sources: own.filter((source) => mayServe(source, family)),
            atOnce: Number.POSITIVE_INFINITY,
          };
        const usual =
          method === 'stun' && ownStun.length > 0
            ? ownStun.filter((source) => mayServe(source, family))
            : builtInSources(method, family);
        return { method, sources: usual, atOnce: method === 'stun' ? STUN_AT_ONCE : 1 };
      })
      .filter(({ sources }) => sources.length > 0),
  }));
}
