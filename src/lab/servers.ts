/** The servers of the simulated internet: STUN servers by name, and the services that tell who asks. */
import { type Endpoint, familyOf } from '../net/address.ts';
import type { Env } from '../net/env.ts';
import type { Role } from '../stun/server.ts';
import { ADDRESS_PAGE, startNameService, startWebService } from './address-services.ts';
import { startRendezvous } from '../rendezvous/service.ts';
import { relaysBeside } from '../rendezvous/relay.ts';
import { startTurn, type TurnServiceOptions } from '../turn/service.ts';
import { firstOf, fixedUsers, restUsers, type Users } from '../turn/users.ts';
import type { Terrain } from './terrain.ts';
import type { HostAddress } from './host.ts';
import type { ServerFault } from './server-faults.ts';
import { type ServerDelay, startStunService, type StunServiceOptions } from './stun-service.ts';

/** A STUN server on the simulated internet. */
export interface ServerSpec {
  /** Resolves to `addresses`; servers of one lab have different names. */
  readonly name: string;
  /** With two of a family it does RFC 5780. */
  readonly addresses: readonly string[];
  /** Primary and alternate port; 3478 and 3479 when absent. */
  readonly ports?: readonly [number, number];
  readonly faults?: readonly ServerFault[];
  readonly delays?: readonly ServerDelay[];
  readonly software?: string;
  /** Addresses at which nobody is; DNS gives them before the others of their family. */
  readonly deadAddresses?: readonly string[];
  /** Where it stands; `lan` is A's own network, 192.168.1.0/24. */
  readonly on?: 'internet' | 'lan';
  /** It is a TURN server too, over UDP, TCP, and TLS on port 5349. */
  readonly turn?: LabTurn | undefined;
  /** It relays for those who meet there. */
  readonly relay?: boolean | undefined;
  /** The name is known to DNS but nothing runs there: packets vanish (`dead`) or are refused (`closed`). */
  readonly state?: 'up' | 'dead' | 'closed';
}

/** Who may log in at a simulated TURN server; {@link LAB_LOGIN} where nobody is named. */
export interface LabTurn extends Omit<TurnServiceOptions, 'realm' | 'users'> {
  /** Passwords by user name. */
  readonly users?: Readonly<Record<string, string>> | undefined;
  /** For time-limited logins. */
  readonly secrets?: readonly string[] | undefined;
}

/** The user of a simulated TURN server. */
export const LAB_LOGIN = { username: 'alice', password: 'secret' } as const;

const TURNS_PORT = 5349;

/** A plain one beside the default server, for what two tell better than one. */
export const SECOND_SERVER: ServerSpec = { name: 'stun2.example.net', addresses: ['60.50.40.30'] };
/** The STUN server S of the tutorial's example, with RFC 5780. */
export const DEFAULT_SERVER: ServerSpec = { name: 'stun.example.net', addresses: ['40.30.20.10', '40.30.20.11'] };

/** Added to the default server where there is IPv6. */
export const SERVER_ADDRESSES_6 = ['2001:db8:40::10', '2001:db8:40::11'];

/** The host T. */
export function addAddressServices(terrain: Terrain, v6: boolean): void {
  const [dns, web] = ['208.67.222.222', '1.1.1.1'];
  const [dns6, web6] = ['2620:0:ccc::2', '2001:db8:1111::1'];
  const addresses = [dns, web, ...(v6 ? [dns6, web6] : [])];
  const { certificates } = terrain.addPublicHost('T', addresses).tcp;
  for (const name of [web, 'icanhazip.com']) certificates.add(name);
  terrain.zone.hosts.set('icanhazip.com', [web, ...(v6 ? [web6] : [])]);
  for (const address of addresses) {
    terrain.serve('T', (env) =>
      address === dns || address === dns6
        ? startNameService(env, address)
        : startWebService(env, address, 443, ADDRESS_PAGE),
    );
  }
}

/** Its name in DNS, and where it is up its host of this name. */
export function addServer(terrain: Terrain, spec: ServerSpec, name: string): void {
  const { addresses, ports = [3478, 3479], state = 'up', on = 'internet' } = spec;
  const named = ([4, 6] as const).flatMap((family) => {
    const inFamily = (each: string): boolean => familyOf(each) === family;
    return [...(spec.deadAddresses ?? []).filter(inFamily), ...addresses.filter(inFamily).slice(0, 1)];
  });
  terrain.zone.hosts.set(spec.name, named);
  if (state === 'dead') return;
  if (on === 'lan')
    terrain.addHost(
      name,
      addresses.map((address) => onLan(terrain, address)),
    );
  else terrain.addPublicHost(name, addresses);
  if (state === 'closed') return;
  let services: ReturnType<typeof beside> | undefined;
  if (spec.turn || spec.relay) terrain.system(name).tcp.certificates.add(spec.name);
  for (const family of [4, 6] as const) {
    const [first, second] = addresses.filter((address) => familyOf(address) === family);
    if (first === undefined) continue;
    const endpoints: Partial<Record<Role, Endpoint>> =
      second === undefined
        ? // As `serve` has it on one address; a server with faults is an old one, without.
          {
            A1P1: { address: first, port: ports[0] },
            ...(!spec.faults?.length && { A1P2: { address: first, port: ports[0] + 1 } }),
          }
        : {
            A1P1: { address: first, port: ports[0] },
            A1P2: { address: first, port: ports[1] },
            A2P1: { address: second, port: ports[0] },
            A2P2: { address: second, port: ports[1] },
          };
    terrain.serve(name, (env) => {
      // The same for both families: an allocation may have an address of each, and hosts of both may meet.
      services ??= beside(env, spec);
      return startStunService(env, {
        endpoints,
        faults: spec.faults,
        delays: spec.delays,
        software: spec.software,
        ...services,
      });
    });
  }
}

/** What a server does beside STUN, as `serve` has it; one with faults is an old one, without a rendezvous. */
function beside(env: Env, { turn, relay, faults }: ServerSpec): Pick<StunServiceOptions, 'protocols' | 'tlsPort'> {
  const tlsPort = turn || relay ? TURNS_PORT : undefined;
  const rendezvous = faults?.length
    ? undefined
    : startRendezvous(env, { relays: relay ? relaysBeside({ tcp: true, tlsPort }) : undefined });
  const users = firstOf(...(rendezvous && relay ? [rendezvous.users] : []), ...(turn ? [usersOf(turn)] : []));
  const relaying = turn || relay ? [startTurn(env, { ...turn, realm: 'lab', users }).at] : [];
  return { protocols: [...relaying, ...(rendezvous ? [rendezvous.at] : [])], tlsPort };
}

const usersOf = ({ users, secrets = [] }: LabTurn): Users =>
  firstOf(
    restUsers(secrets),
    fixedUsers(new Map(Object.entries(users ?? { [LAB_LOGIN.username]: LAB_LOGIN.password }))),
  );

/** Throws RangeError where A has no LAN. */
function onLan(terrain: Terrain, address: string): HostAddress {
  const segment = terrain.lans.get('A');
  if (!segment) throw new RangeError('A stands on the internet itself: it has no LAN');
  return { address, segment, interface: 'eth0', prefixLength: familyOf(address) === 4 ? 24 : 64 };
}
