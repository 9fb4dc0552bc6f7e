/**
 * Which of several answers is the public address. Anybody on the way can answer plain DNS and plain HTTP in another's place, so all
 * of those together are one witness, and never the only one where others were asked; each STUN server is one, and each web server
 * whose certificate was verified. Pure.
 */
import { type Family, familyOf } from '../../net/address.ts';
import type { Method } from './sources.ts';

export interface AddressAnswer {
  readonly method: Method;
  readonly source: string;
  readonly address: string;
}

const PLAIN = 'plain';

export const isAuthenticated = ({ method, source }: Pick<AddressAnswer, 'method' | 'source'>): boolean =>
  method === 'https' && source.startsWith('https:');

/** By DNS or by HTTP without TLS. */
export const isPlain = ({ method, source }: Pick<AddressAnswer, 'method' | 'source'>): boolean =>
  method !== 'stun' && !isAuthenticated({ method, source });

const witnessOf = (testimony: AddressAnswer): string =>
  isPlain(testimony) ? PLAIN : `${testimony.method} ${testimony.source}`;

interface Camp<T> {
  readonly first: T;
  readonly witnesses: ReadonlySet<string>;
  readonly authenticated: boolean;
  /** Nobody but DNS is in it. */
  readonly dnsAlone: boolean;
}

const rankOf = ({ witnesses, authenticated, dnsAlone }: Omit<Camp<unknown>, 'first'>): number =>
  8 * witnesses.size + (authenticated ? 4 : 0) - (isAlone(witnesses) ? 2 : 0) - (dnsAlone ? 1 : 0);

function camps<T extends AddressAnswer>(answers: readonly T[], family: Family): Camp<T>[] {
  const found = new Map<string, { first: T; witnesses: Set<string>; authenticated: boolean; dnsAlone: boolean }>();
  for (const answer of answers) {
    if (familyOf(answer.address) !== family) continue;
    const camp = found.get(answer.address) ?? {
      first: answer,
      witnesses: new Set(),
      authenticated: false,
      dnsAlone: true,
    };
    camp.witnesses.add(witnessOf(answer));
    camp.authenticated ||= isAuthenticated(answer);
    camp.dnsAlone &&= answer.method === 'dns';
    found.set(answer.address, camp);
  }
  // The sort is stable: among equals the first to come stays first.
  return [...found.values()].sort((a, b) => rankOf(b) - rankOf(a));
}

const isAlone = (witnesses: ReadonlySet<string>): boolean => witnesses.size === 1 && witnesses.has(PLAIN);

/** The answer of the most independent witnesses; among as many, of one that is authenticated, of plain ones after the others, and of DNS alone last. */
export const headline = <T extends AddressAnswer>(answers: readonly T[], family: Family): T | undefined =>
  camps(answers, family)[0]?.first;

/** Whether nothing more is needed: an authenticated answer, or two independent witnesses that agree. */
export const isSettled = (answers: readonly AddressAnswer[], family: Family): boolean =>
  camps(answers, family).some(({ witnesses, authenticated }) => authenticated || witnesses.size >= 2);

/** Whether nobody but plain DNS and plain HTTP names the headline's address. */
export function restsOnPlain(answers: readonly AddressAnswer[], family: Family): boolean {
  const best = headline(answers, family);
  return best !== undefined && answers.every((each) => isPlain(each) || each.address !== best.address);
}

/** Whether as good witnesses name another address than the headline's, so that only chance chose. */
export function isDisputed(answers: readonly AddressAnswer[], family: Family): boolean {
  const [first, second] = camps(answers, family);
  return first !== undefined && second !== undefined && rankOf(first) === rankOf(second);
}

/** Whether all answers of each family name the same address. Where there are none, nobody agrees. */
export const agree = (answers: readonly AddressAnswer[]): boolean =>
  answers.length > 0 && ([4, 6] as const).every((family) => camps(answers, family).length <= 1);
