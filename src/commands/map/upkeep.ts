/** `map --list` and `map --remove`. */
import { familyOf } from '../../net/address.ts';
import { type Controls, openControls } from '../../portmap/controls.ts';
import type { IgdClient } from '../../portmap/igd-client.ts';
import type { Wish } from '../../portmap/protocol.ts';
import { PROTOCOL_NAMES, type Refusal, refusalWords } from '../../portmap/refusal.ts';
import { scope } from '../../net/wait.ts';
import { findRouter, type RouterAt } from '../../portmap/router.ts';
import { type Finding, finding } from '../../report/finding.ts';
import type { Context } from '../command.ts';
import type { Args } from './options.ts';
import { listData, type MappingList, oddityFindings, refusalData, type Removal } from './report.ts';

interface Answer<Data> {
  readonly data: Data;
  readonly findings: readonly Finding[];
}

async function atRouter<T>(
  { env, signal }: Pick<Context, 'env' | 'signal'>,
  args: Args,
  work: (router: RouterAt, controls: Controls, signal: AbortSignal) => Promise<T>,
): Promise<T | 'no-router' | 'out-of-time'> {
  const bounds = scope(env.clock, signal, args.timeout);
  try {
    return await asked(env, args, work, bounds.signal);
  } catch (error) {
    if (!bounds.signal.aborted || signal.aborted) throw error;
    return 'out-of-time';
  } finally {
    bounds.end();
  }
}

async function asked<T>(
  env: Context['env'],
  args: Args,
  work: (router: RouterAt, controls: Controls, signal: AbortSignal) => Promise<T>,
  signal: AbortSignal,
): Promise<T | 'no-router'> {
  const family = args.family ?? (args.source === undefined ? 4 : familyOf(args.source));
  const router = await findRouter(env, { family, source: args.source }, signal);
  if (!router) return 'no-router';
  const controls = await openControls(env, router, new Map(), signal);
  try {
    return await work(router, controls, signal);
  } finally {
    controls.close();
  }
}

export async function list(args: Args, context: Context): Promise<Answer<MappingList>> {
  context.progress('asking the router by UPnP');
  const answer = await atRouter(context, args, async (router, { upnp }, signal): Promise<Answer<MappingList>> => {
    const none = { router: router.address, external: null, mappings: null };
    const probe = await upnp?.probe(signal);
    const findings = oddityFindings(probe?.oddities ?? []);
    const listed = await upnp?.list(signal);
    if (!listed) return { data: none, findings: [finding('no-mapping-list', { router: router.address }), ...findings] };
    return { data: listData(router, probe?.external, listed), findings };
  });
  if (typeof answer !== 'string') return answer;
  return { data: { router: null, external: null, mappings: null }, findings: [finding(answer)] };
}

/** By all that the router speaks: whoever opened the port may have used any of them. */
export async function remove(args: Args, port: number, context: Context): Promise<Answer<Removal>> {
  const transport = args.tcp ? 'tcp' : 'udp';
  const wish: Wish = { transport, internalPort: port, externalPort: args.external ?? port, lifetimeS: 1 };
  const none = { port, transport, removed: 'no', refusals: [] } as const;
  context.progress('asking the router by PCP, NAT-PMP and UPnP');
  const answer = await atRouter(context, args, async (router, controls, signal): Promise<Answer<Removal>> => {
    const asked = controls.all.filter(({ protocol }) => args.via === undefined || protocol === args.via);
    const probes = await Promise.all(asked.map((control) => control.probe(signal)));
    const refusals: Refusal[] = [];
    // What PCP and NAT-PMP opened stands in the list of UPnP, too: without it nobody knows what was there before.
    const before = controls.upnp && (await ownOf(controls.upnp, router, wish, signal));
    let removed = false;
    for (const [i, control] of asked.entries()) {
      if (probes[i]?.answer === 'no') continue;
      const wishes = control === controls.upnp ? ((await ownOf(controls.upnp, router, wish, signal)) ?? []) : [wish];
      for (const each of wishes) {
        const refusal = await control.unmap(each, signal);
        if (refusal) refusals.push(refusal);
        else removed = true;
      }
    }
    const data: Removal = {
      ...none,
      router: router.address,
      removed: before?.length === 0 ? 'none' : removed ? 'yes' : 'no',
      refusals: refusals.map(refusalData),
    };
    const spoken = probes.some((probe) => probe.answer !== 'no');
    const words = refusals.map((each) =>
      finding('port-refused', { protocol: PROTOCOL_NAMES[each.protocol], words: refusalWords(each) }),
    );
    return {
      data,
      findings: removed ? [] : spoken ? words : [finding('no-port-control', { router: router.address })],
    };
  });
  if (typeof answer !== 'string') return answer;
  return { data: { ...none, router: null }, findings: [finding(answer)] };
}

/** The mappings of this host's port in the router's list; nobody else's is touched. Undefined where it shows no list. */
async function ownOf(upnp: IgdClient, router: RouterAt, wish: Wish, signal: AbortSignal): Promise<Wish[] | undefined> {
  const listed = await upnp.list(signal);
  return listed
    ?.filter(
      ({ transport, internal }) =>
        transport === wish.transport && internal.address === router.local && internal.port === wish.internalPort,
    )
    .map(({ externalPort }) => ({ ...wish, externalPort }));
}
