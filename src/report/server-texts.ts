/** What a server does, and the names that lead to it; see `finding.ts`. */
import { LOGIN_VARIABLES, LOGIN_WORDS, type LoginFault, loginOf } from './login.ts';

export const SERVER_TEXTS = {
  'query-failed': ({ server, transport, error }: { server: string; transport: string; error: string }) =>
    `Asking ${server} over ${transport.toUpperCase()} failed: ${error}.`,
  'no-network': () => 'This machine has no network address but loopback: it is on no network.',
  unresolvable: ({ hosts }: { hosts: readonly string[] }) => `No address is known for ${hosts.join(', ')}.`,
  'family-missing': ({ hosts, family }: { hosts: readonly string[]; family: 4 | 6 }) =>
    `${hosts.join(', ')} ${hosts.length === 1 ? 'has' : 'have'} no IPv${family} address, only IPv${family === 4 ? 6 : 4}.`,
  'no-ipv6': ({ server }: { server: string }) =>
    `There is no IPv6 here, and ${server} is to be reached over IPv6 only.`,
  'resolver-failed': ({ hosts, error }: { hosts: readonly string[]; error: string }) =>
    `Could not look up ${hosts.join(', ')}: ${error}.`,
  'server-refused': ({ server }: { server: string }) =>
    `${server} refused: nothing listens on that UDP port (ICMP port unreachable).`,
  'server-error': ({
    server,
    code,
    reason,
    login = loginOf(code, undefined),
    to,
  }: {
    server: string;
    code: number;
    reason: string;
    login?: LoginFault | undefined;
    to?: string | undefined;
  }) =>
    `${server} answered a Binding request with error ${code}${reason && ` (${reason})`}${login ? `: ${LOGIN_WORDS[login]}` : to === undefined ? '' : `: it redirects to ${to} (ALTERNATE-SERVER). Name that one`}.`,
  'answer-unsealed': ({ server }: { server: string }) =>
    `${server} answered, but not with the password in ${LOGIN_VARIABLES.password} (the seal of its answers is another): nothing of it was used.`,
  'tls-by-address': ({ server }: { server: string }) =>
    `${server} was checked against the addresses in its certificate; RFC 8489 wants a name, which few certificates come without.`,
  redirected: ({ server, to }: { server: string; to: string }) =>
    `${server} redirects to ${to} (ALTERNATE-SERVER): that one was asked.`,
  'redirected-astray': ({ server, to, error }: { server: string; to: string; error: string }) =>
    `${server} answers, but only to redirect to ${to} (ALTERNATE-SERVER), and asking that one failed: ${error}.`,
  'answers-differ': ({ odd, others }: { odd: readonly string[]; others: readonly string[] }) =>
    `Not all servers see the same public address: ${odd.join(', ')}; the others see ${others.join(', ')}. Each was asked from a port of its own: such a server stands behind a NAT, or the NAT here has several public addresses. nat-tool detect with the same servers tells which.`,
  'server-useless': ({ server, unknownAttributes }: { server: string; unknownAttributes: readonly number[] }) =>
    unknownAttributes.length > 0
      ? `${server}'s answers demand that attribute 0x${(unknownAttributes[0] as number).toString(16).padStart(4, '0')} be understood, which nobody does; they were not used.`
      : `${server}'s answers do not say which address it saw.`,
  'server-wrong-source': ({ server, from }: { server: string; from: string }) =>
    `An answer to a request to ${server} came from ${from}. It was not used: an answer must come from where it was asked.`,
  'stray-datagrams': ({ count, from }: { count: number; from: string }) =>
    `${count} datagram${count === 1 ? '' : 's'} from ${from} matched no request (not STUN, or the wrong transaction ID) and ${count === 1 ? 'was' : 'were'} not used.`,
  'server-lacks-rfc5780': ({ server }: { server: string }) =>
    `${server} sends no OTHER-ADDRESS, so it cannot test filtering, and mapping only together with a second server.`,
  'other-address-same-ip': ({ server, other }: { server: string; other: string }) =>
    `${server} names ${other} as its other address, which is not another IP address; RFC 5780 needs one.`,
  'other-address-unusable': ({ server, other }: { server: string; other: string }) =>
    `${server} names ${other} as its other address, which cannot be right for a server reached at that address.`,
  'other-address-dead': ({ server, other }: { server: string; other: string }) =>
    `${server} names ${other} as its other address, but that never answered.`,
  'change-request-rejected': ({ server, code }: { server: string; code: number }) =>
    `${server} rejects CHANGE-REQUEST (error ${code}), so filtering could not be tested.`,
  'change-request-ignored': ({ server }: { server: string }) =>
    `${server} does not honour CHANGE-REQUEST: its answers come from the same address all the same, or not even where the path is open. Silence from it says nothing about filtering.`,
  'change-request-unproven': ({ server }: { server: string }) =>
    `Answers from ${server}'s other address did not arrive, but behind a symmetric NAT that proves filtering only with a server that honours RESPONSE-PORT, and this one does not. Filtering stays unknown; the type does not depend on it.`,
} as const satisfies Record<string, (parameters: never) => string>;
