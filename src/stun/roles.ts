/** The sockets of a server by role, and how different clients know them. Pure. */
import { type Endpoint, isAnyAddress, scopeOf, v4Number, v4Scope } from '../net/address.ts';

/** A socket of the server: which of its two addresses, and which of its two ports. */
export type Role = 'A1P1' | 'A1P2' | 'A2P1' | 'A2P2';

export const ROLES: readonly Role[] = ['A1P1', 'A1P2', 'A2P1', 'A2P2'];

/** An endpoint for each role that there is. */
export type Endpoints = Readonly<Partial<Record<Role, Endpoint | undefined>>>;

/** The role that a CHANGE-REQUEST with these flags moves the answer to. */
export function changedRole(role: Role, changeIp: boolean, changePort: boolean): Role {
  const address = (role[1] === '1') !== changeIp ? 'A1' : 'A2';
  return (role[3] === '1') !== changePort ? `${address}P1` : `${address}P2`;
}

/** What is known of a server beyond its own sockets: how the outside of its 1:1 NAT sees them, and the roles that another host plays. */
export interface Advertised {
  /** To public clients, in place of the sockets' own endpoints. */
  readonly outside?: Endpoints | undefined;
  /** To clients with an address that is not public. */
  readonly inside?: Endpoints | undefined;
}

/** The server as one kind of client knows it. */
export interface View {
  /** What may be told. */
  readonly endpoints: Endpoints;
  /** All four roles are known: NAT behaviour discovery is possible. */
  readonly behaviour: boolean;
}

export interface Views {
  readonly inside: View;
  readonly outside: View;
}

/** Clients are never told a wildcard address, and public ones no address that is not public, unless it is advertised. */
export function viewsOf(sockets: Endpoints, { inside, outside }: Advertised = {}): Views {
  const own = only(sockets, ({ address }) => !isAnyAddress(address));
  const near = view({ ...own, ...inside });
  const far = view({ ...only(own, ({ address }) => scopeOf(address) === 'public'), ...outside });
  const same = ROLES.every((role) => near.endpoints[role] === far.endpoints[role]);
  return { inside: same ? far : near, outside: far };
}

/** Whether this client sees the server from its own network. A source as its socket names it. */
export function isInside(address: string): boolean {
  const v4 = v4Number(address);
  return (v4 === undefined ? scopeOf(address) : v4Scope(v4)) !== 'public';
}

const view = (endpoints: Endpoints): View => ({ endpoints, behaviour: ROLES.every((role) => endpoints[role]) });

const only = (endpoints: Endpoints, keep: (endpoint: Endpoint) => boolean): Endpoints =>
  Object.fromEntries(
    ROLES.flatMap((role) => {
      const endpoint = endpoints[role];
      return endpoint && keep(endpoint) ? [[role, endpoint]] : [];
    }),
  );
