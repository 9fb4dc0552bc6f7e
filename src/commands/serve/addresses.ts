/** On which addresses `serve` listens, and by which others the outside knows them: those of a 1:1 NAT, or of a forwarding router. */
import { canonicalAddress, type Family, familyOf, isAnyAddress, scopeOf } from '../../net/address.ts';
import type { InterfaceAddress } from '../../net/env.ts';
import type { ListenOptions } from '../../stun/listener.ts';
import { type Advertised, type Endpoints, ROLES } from '../../stun/roles.ts';
import { UsageError } from '../command.ts';

/** `--advertise PUBLIC[=LOCAL]`. */
export interface Advertisement {
  readonly outside: string;
  readonly local: string | undefined;
}

export function parseAdvertise(text: string, argument: string): Advertisement {
  const [outside = '', local, ...more] = text.split('=');
  const address = canonicalAddress(outside);
  const own = local === undefined ? undefined : canonicalAddress(local);
  if (!address || (local !== undefined && !own) || more.length > 0)
    throw UsageError.expected(argument, 'PUBLIC or PUBLIC=LOCAL, two addresses without ports', text);
  // Public clients would be told an address that they cannot reach, or that is somebody else's in their own network.
  if (scopeOf(address) !== 'public')
    throw UsageError.expected(argument, 'a public address, by which clients on the internet reach this host', text);
  if (own && familyOf(own) !== familyOf(address))
    throw new UsageError(`${argument}: ${address} and ${own} are not of one family`);
  return { outside: address, local: own };
}

/** How the outside knows the addresses of this host. */
export class Outsides {
  readonly #byLocal = new Map<string, string>();

  of(local: string): string | undefined {
    return this.#byLocal.get(local);
  }

  /** Whether it stands for any of them. */
  has(outside: string): boolean {
    return [...this.#byLocal.values()].includes(outside);
  }

  set(local: string, outside: string): void {
    this.#byLocal.set(local, outside);
  }

  /** What public clients are told in place of these sockets. */
  advertised(sockets: Endpoints): Advertised {
    const outside = ROLES.flatMap((role) => {
      const socket = sockets[role];
      const address = socket && this.of(socket.address);
      return address === undefined ? [] : [[role, { address, port: socket?.port }]];
    });
    return { outside: Object.fromEntries(outside) };
  }
}

/** The arguments that say where. */
export interface Asked {
  readonly address: readonly string[];
  readonly alternate: string | undefined;
  readonly advertise: readonly Advertisement[];
  readonly family: Family | undefined;
}

export interface Plan {
  /** The addresses that were named, those of each family for themselves; undefined for all that this host has. */
  readonly addresses: readonly ListenOptions['addresses'][] | undefined;
  readonly outsides: Outsides;
}

export function plan(args: Asked, interfaces: readonly InterfaceAddress[]): Plan {
  const locals = args.advertise.flatMap(({ local }) => local ?? []);
  const [one, two] = locals;
  const named = args.alternate === undefined ? args.address : [...args.address, args.alternate];
  // Two private addresses with two public ones are a pair.
  const pair = named.length === 0 && one && two && locals.length === 2 && familyOf(one) === familyOf(two);
  const groups = groupsOf(pair ? [one, two] : named, args.family);
  const addresses = groups?.flat();
  const outsides = new Outsides();
  const here = interfaces.filter(({ internal }) => !internal).map(({ address }) => address);
  for (const { outside, local } of args.advertise) {
    const own = local ?? unnamed(outside, addresses ?? here, outsides, addresses !== undefined);
    if (addresses && !addresses.includes(own))
      throw new UsageError(`--advertise: ${own} is not among the addresses of --address`);
    if (outsides.of(own) !== undefined) throw new UsageError(`--advertise: ${own} is given twice`);
    // Clients would take it for two addresses, and be told of a filtering that nobody has.
    if (outsides.has(outside))
      throw new UsageError(`--advertise: ${outside} is given twice; each address has a public one of its own`);
    if (!addresses && !interfaces.some(({ address }) => address === own))
      throw new UsageError(
        `--advertise: ${own} is not an address of this host`,
        here.length === 0 ? undefined : `It has ${here.slice(0, 3).join(', ')}${here.length > 3 ? ', …' : ''}.`,
      );
    outsides.set(own, outside);
  }
  return { addresses: groups, outsides };
}

/** The address behind a public one, where that goes without saying: the only one, or the next of several that have an order. */
function unnamed(
  outside: string,
  addresses: readonly (string | undefined)[],
  outsides: Outsides,
  ordered: boolean,
): string {
  const behind = addresses.filter(
    (each) =>
      each !== undefined &&
      familyOf(each) === familyOf(outside) &&
      !['public', 'link-local'].includes(scopeOf(each)) &&
      outsides.of(each) === undefined,
  ) as string[];
  const [only] = behind;
  if (only === undefined)
    throw new UsageError(
      `--advertise: no address of this host is behind ${outside}: none is private`,
      `Say which one is: --advertise ${outside}=LOCAL`,
    );
  if (behind.length > 1 && !ordered)
    throw new UsageError(
      `--advertise: ${outside} can stand for ${behind.slice(0, 3).join(', ')}${behind.length > 3 ? ', …' : ''}`,
      `Say which one: --advertise ${outside}=${only}`,
    );
  return only;
}

/** In the order in which they were named. */
function groupsOf(addresses: readonly string[], family: Family | undefined): Plan['addresses'] {
  const foreign = addresses.find((each) => family !== undefined && familyOf(each) !== family);
  if (foreign !== undefined)
    throw new UsageError(`--address: ${foreign} is not an IPv${family} address, as -${family} demands`);
  const families = [...new Set(addresses.map(familyOf))];
  if (families.length === 0) return undefined;
  return families.map((one) => pairOf(addresses.filter((each) => familyOf(each) === one)));
}

function pairOf(addresses: readonly string[]): ListenOptions['addresses'] {
  const [first, second, ...more] = addresses;
  if (more.length > 0)
    throw new UsageError(
      '--address: one or two addresses of each family, not more',
      'Run a second nat-tool serve for the others.',
    );
  if (first === undefined || second === undefined) return [first ?? ''];
  if (first === second) throw new UsageError(`--address: ${first} is given twice; RFC 5780 needs two addresses`);
  if (isAnyAddress(first) || isAnyAddress(second))
    throw new UsageError('--address: with two addresses both must be named, for clients are told them');
  return [first, second];
}
