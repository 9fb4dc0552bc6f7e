/** NATs by name and modifiers, as on the command line. Pure. */
import { nearest } from '../net/nearest.ts';
import type { Dependence } from '../nat/dependence.ts';
import {
  DEFAULT_LIFETIMES,
  FIRST_PUBLIC_PORT,
  type Lifetimes,
  LINUX_LIFETIMES,
  PORT_CONTROL_MANNERS,
  type PortControlManner,
  type NatParts,
  type PortChoice,
} from './nat-parts.ts';
import { NAT_KINDS, type NatSpec, natSpec } from './nat-spec.ts';

/** A NAT description that cannot be meant. */
export class NatSpecError extends Error {
  /** The word at fault. */
  readonly argument: string;
  readonly expected: string;
  /** The likeliest meaning. */
  readonly suggestion: string | undefined;
  constructor(argument: string, expected: string, suggestion?: string) {
    super(`'${argument}': expected ${expected}`);
    this.name = 'NatSpecError';
    this.argument = argument;
    this.expected = expected;
    this.suggestion = suggestion;
  }
}

type Modifier = (value: string | undefined, argument: string, parts: Partial<NatParts>) => Partial<NatParts>;

const DEPENDENCES: Readonly<Record<string, Dependence>> = {
  ei: 'endpoint-independent',
  ad: 'address-dependent',
  apd: 'address-and-port-dependent',
  'endpoint-independent': 'endpoint-independent',
  'address-dependent': 'address-dependent',
  'address-and-port-dependent': 'address-and-port-dependent',
};

const MODIFIERS: Readonly<Record<string, Modifier>> = {
  mapping: (value, argument) => ({ mapping: oneOf(DEPENDENCES, value, argument, 'mapping=ei, ad or apd') }),
  filtering: (value, argument) => ({
    filtering: oneOf({ ...DEPENDENCES, none: 'none' as const }, value, argument, 'filtering=ei, ad, apd or none'),
  }),
  ports: (value, argument) => ({ ports: parsePorts(value, argument) }),
  timeout: (value, argument, parts) => ({ lifetimes: { ...lifetimes(parts), ...parseTimeout(value, argument) } }),
  'filter-timeout': (value, argument, parts) => ({
    lifetimes: { ...lifetimes(parts), filterMs: seconds(value, argument, 'filter-timeout=SECONDS') },
  }),
  refresh: (value, argument, parts) => ({
    lifetimes: {
      ...lifetimes(parts),
      refresh: oneOf(
        { outbound: 'outbound', inbound: 'inbound', both: 'both' } as const,
        value,
        argument,
        'refresh=outbound, inbound or both',
      ),
    },
  }),
  hairpin: (value, argument) => parseHairpin(value ?? 'external', argument),
  pool: (value, argument) => parsePool(value, argument),
  limit: (value, argument) => ({ limit: whole(value, 1, 65_535, argument, 'limit=MAPPINGS') }),
  alg: flag('alg'),
  parity: flag('parity'),
  overload: flag('overload'),
  poison: flag('poison'),
  pcp: portControl('pcp', 'pcp'),
  'nat-pmp': portControl('nat-pmp', 'natPmp'),
  upnp: portControl('upnp', 'upnp'),
  restart: (value, argument) => ({ restartEveryMs: seconds(value, argument, 'restart=SECONDS') }),
  icmp: (value, argument) => ({ icmp: oneOf({ pass: true, drop: false }, value, argument, 'icmp=pass or drop') }),
};

/** The modifiers that {@link parseNat} knows, for help. */
export const NAT_MODIFIERS: readonly string[] = Object.keys(MODIFIERS);

/**
 * A NAT in text, `kind[,modifier…]`, its parts in the words of RFC 4787. Throws {@link NatSpecError}.
 *
 * @example
 * ```js
 * import { parseNat } from 'nat-tool/lab';
 *
 * const { kind, parts } = parseNat('symmetric,ports=sequential:2,timeout=30,hairpin');
 * console.log(kind, parts.mapping, parts.lifetimes.unrepliedMs, parts.hairpin); // symmetric address-and-port-dependent 30000 external
 * ```
 */
export function parseNat(text: string): NatSpec {
  const [kind = '', ...modifiers] = text.split(',').map((word) => word.trim());
  const known = NAT_KINDS.find((each) => each === kind);
  if (!known) throw new NatSpecError(kind, `a NAT: ${NAT_KINDS.join(', ')}`, nearest(kind, NAT_KINDS));
  let parts: Partial<NatParts> = natSpec(known).carrier ?? natSpec(known).parts;
  for (const argument of modifiers) {
    const equals = argument.indexOf('=');
    const name = equals < 0 ? argument : argument.slice(0, equals);
    const modifier = Object.hasOwn(MODIFIERS, name) ? MODIFIERS[name] : undefined;
    if (!modifier)
      throw new NatSpecError(argument, `a modifier: ${NAT_MODIFIERS.join(', ')}`, nearest(name, NAT_MODIFIERS));
    parts = { ...parts, ...modifier(equals < 0 ? undefined : argument.slice(equals + 1), argument, parts) };
  }
  return natSpec(known, parts);
}

function flag(name: 'alg' | 'parity' | 'overload' | 'poison'): Modifier {
  return (value, argument) => {
    if (value !== undefined) throw new NatSpecError(argument, `${name} without a value`, name);
    return { [name]: true };
  };
}

function portControl(name: string, part: keyof NatParts['portControl']): Modifier {
  const manners = Object.fromEntries(PORT_CONTROL_MANNERS.map((each) => [each, each])) as Record<
    PortControlManner,
    PortControlManner
  >;
  return (value = 'yes', argument, parts) => ({
    portControl: {
      ...parts.portControl,
      [part]: oneOf(manners, value, argument, `${name}, or ${name}=${PORT_CONTROL_MANNERS.join(', ')}`),
    },
  });
}

const lifetimes = (parts: Partial<NatParts>): Lifetimes => parts.lifetimes ?? DEFAULT_LIFETIMES;

function oneOf<T>(
  choices: Readonly<Record<string, T>>,
  value: string | undefined,
  argument: string,
  expected: string,
): T {
  if (value === undefined || !Object.hasOwn(choices, value))
    throw new NatSpecError(argument, expected, value && nearest(value, Object.keys(choices)));
  return choices[value] as T;
}

function whole(text: string | undefined, least: number, most: number, argument: string, expected: string): number {
  const value = text !== undefined && /^-?\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) throw new NatSpecError(argument, `${expected}, ${least} to ${most}`);
  return value;
}

function seconds(text: string | undefined, argument: string, expected: string): number {
  const value = text !== undefined && /^\d{1,6}(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value > 0 && value <= 86_400)) throw new NatSpecError(argument, `${expected}, more than 0 and at most 86400`);
  return value * 1000;
}

/** `timeout=S`, or `timeout=UNREPLIED/STREAM` as Linux keeps two. */
function parseTimeout(value: string | undefined, argument: string): Partial<Lifetimes> {
  const expected = 'timeout=SECONDS or timeout=UNREPLIED/STREAM';
  const [first, second, ...more] = (value ?? '').split('/');
  if (more.length) throw new NatSpecError(argument, expected);
  const unrepliedMs = seconds(first, argument, expected);
  if (second === undefined) return { unrepliedMs, streamMs: unrepliedMs };
  return { unrepliedMs, streamMs: seconds(second, argument, expected), streamAfterMs: LINUX_LIFETIMES.streamAfterMs };
}

function parsePorts(value: string | undefined, argument: string): PortChoice {
  const expected = 'ports=preserving[:next|:random], sequential[:STEP[:FIRST]], random or block[:SIZE]';
  const [kind, first, second, ...more] = (value ?? '').split(':');
  const few = (most: number): void => {
    if (more.length || (most < 2 && second !== undefined) || (most < 1 && first !== undefined))
      throw new NatSpecError(argument, expected);
  };
  switch (kind) {
    case 'preserving':
      few(1);
      return {
        kind,
        fallback:
          first === undefined ? 'next' : oneOf({ next: 'next', random: 'random' } as const, first, argument, expected),
      };
    case 'sequential': {
      few(2);
      const step = first === undefined ? 1 : whole(first, -4096, 4096, argument, expected);
      if (step === 0) throw new NatSpecError(argument, expected);
      return {
        kind,
        step,
        start: second === undefined ? FIRST_PUBLIC_PORT : whole(second, 1024, 65_535, argument, expected),
      };
    }
    case 'random':
      few(0);
      return { kind };
    case 'block': {
      few(1);
      return { kind, size: first === undefined ? 512 : whole(first, 1, 16_384, argument, expected) };
    }
    default:
      throw new NatSpecError(argument, expected, nearest(kind ?? '', ['preserving', 'sequential', 'random', 'block']));
  }
}

function parseHairpin(value: string, argument: string): Partial<NatParts> {
  const hairpin = oneOf(
    { yes: 'external', external: 'external', internal: 'internal', filtered: 'external', no: 'no' } as const,
    value,
    argument,
    'hairpin, or hairpin=external, internal, filtered or no',
  );
  return { hairpin, hairpinFiltered: value === 'filtered' };
}

function parsePool(value: string | undefined, argument: string): Partial<NatParts> {
  const expected = 'pool=ADDRESSES[:paired|:arbitrary]';
  const [count, pooling = 'paired', ...more] = (value ?? '').split(':');
  if (more.length) throw new NatSpecError(argument, expected);
  return {
    pool: whole(count, 1, 16, argument, expected),
    pooling: oneOf({ paired: 'paired', arbitrary: 'arbitrary' } as const, pooling, argument, expected),
  };
}
