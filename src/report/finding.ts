/**
 * Remarks a report carries beside its data: why something is unknown, what a server got wrong, what the user should know.
 * One table: a kind is its parameters and its one text, so a kind without words does not compile.
 */
import { isRefusedOnTheWay } from '../net/error-words.ts';
import { CONNECT_TEXTS } from './connect-texts.ts';
import { SERVER_TEXTS } from './server-texts.ts';
import { TURN_TEXTS } from './turn-texts.ts';
import { WEBRTC_TEXTS } from './webrtc-texts.ts';

const list = (items: readonly string[]): string => items.join(', ');

const AFTER = { 'one-packet': 'one packet', 'both-ways': 'talk both ways' } as const;

const TEXTS = {
  interrupted: () => 'Interrupted: this is what was learnt until then.',
  'out-of-time': () => 'The time ran out: this is what was learnt until then. Give more with --timeout.',

  'not-expected': ({ type, expected }: { type: string; expected: readonly string[] }) =>
    `Not as expected: the type is ${type}, and --expect wants ${list(expected)}.`,

  // What the network does.
  'no-answer': ({ servers }: { servers: readonly string[] }) =>
    `No answer over UDP from ${list(servers)}. Silence alone does not tell a blocked network from a dead server: try another server, or one that also answers over TCP.`,
  'udp-blocked': ({ server, refused }: { server: string; refused?: boolean }) =>
    `${server} answered over TCP but never over UDP: something on the way ${refused ? 'refuses' : 'drops'} UDP.`,
  'network-unreachable': ({ server, code }: { server: string; code: string }) =>
    isRefusedOnTheWay({ kind: 'unreachable', code })
      ? `A firewall or router on the way refused what was sent to ${server} (ICMP: out of reach, or prohibited).`
      : `There is no route to ${server}${code && ` (${code})`}: is this machine on a network?`,
  'cannot-send': ({ server, error }: { server: string; error: string }) => `Sending to ${server} failed: ${error}.`,
  'heavy-loss': ({ sent, received }: { sent: number; received: number }) =>
    `Of ${sent} exchanges that should have been answered, ${sent - received} were lost. Tests were repeated until loss could not explain their outcome, or left unknown.`,
  'payload-rewritten': ({ mapped, xorMapped }: { mapped: string; xorMapped: string }) =>
    `Something on the way rewrites addresses inside packets (an ALG): MAPPED-ADDRESS arrived as ${mapped}, XOR-MAPPED-ADDRESS as ${xorMapped}.`,
  'shared-address-space': ({ local }: { local: string }) =>
    `The local address ${local} is in 100.64.0.0/10, the space between a carrier's NAT and its customers (RFC 6598): there is a carrier-grade NAT ahead.`,
  'server-on-this-side': ({ address }: { address: string }) =>
    `The server saw ${address}, which is not a public address, untranslated: it is on this side of any NAT towards the internet, which this says nothing of.`,
  'private-public-side': ({ public: seen }: { public: string }) =>
    `The server saw ${seen}, which is not a public address: the server is on the inside of a further NAT, whose behaviour this does not show.`,
  'answer-doubted': ({ server, words }: { server: string; doubt: string; words: string }) =>
    `What ${server} says cannot be true, and does not count: ${words}. It may stand behind a NAT or a load balancer of its own, or something on the way rewrites its answers.`,
  'more-doubted': ({ count }: { count: number }) =>
    `${count} more server${count === 1 ? ' says' : 's say'} what cannot be true; --json has each with its doubt.`,
  'answer-malformed': ({ server, what }: { server: string; what: readonly string[] }) =>
    `The answer of ${server} breaks the format (${list(what)}); what is good in it was used.`,
  'server-inside': ({ server }: { server: string }) =>
    `${server} is inside this network: what it sees says nothing of the internet. --local measures against it all the same.`,
  'server-odd': ({ server, mapped, others }: { server: string; mapped: string; others: readonly string[] }) =>
    `${server} alone sees ${mapped}, and the others agree on ${list(others)}: its answer does not count.`,
  'servers-disagree': ({ seen }: { seen: readonly string[] }) =>
    `What servers see does not fit together, and nothing says which is right: ${list(seen)}. Ask another server too.`,
  'paths-differ': ({ paths, known }: { paths: readonly string[]; known: boolean }) =>
    `The routes to the servers differ: from ${list(paths)}. ${known ? 'The result is about the first of these paths.' : 'Each path may have a NAT of its own; name servers on one path to compare what they see.'}`,
  'server-tcp-only': ({ server }: { server: string }) =>
    `${server} answers over TCP only. That proves nothing of this network until another server, which answers over TCP as well, is silent over UDP too.`,
  xlat464: ({ local }: { local: string }) =>
    `The local address ${local} is the IPv4 side of 464XLAT (RFC 6877): this network carries IPv6 only, and IPv4 is translated twice.`,
  'address-pooling': ({ addresses }: { addresses: readonly string[] }) =>
    `The NAT used several public addresses for one host (${list(addresses)}): its address pooling is arbitrary, not paired (RFC 4787 §4.1).`,

  'public-addresses-differ': ({
    addresses,
    disputed,
  }: {
    addresses: readonly string[];
    disputed?: string | undefined;
  }) =>
    `The answers do not agree: ${list(addresses)}. ${disputed === undefined ? '' : `As many say one as another, and nothing tells which is right: ${disputed} is only the first that came. `}Something answers DNS questions in the server's place, web traffic goes through a proxy, or a VPN carries only part of the traffic; or the NAT has several public addresses.`,
  'captive-portal': () =>
    'Something answers in the place of web servers and name servers: this network wants you to sign in first (a captive portal). Open any page in a browser, sign in, and try again.',
  'address-unconfirmed': ({ address }: { address: string }) =>
    `Only plain DNS or HTTP told ${address}, and anybody on the way can forge that: nobody else confirms it. --via dns takes the answer of DNS all the same, --url that of a page.`,
  'nobody-told': ({ count, errors }: { count: number; sources: readonly string[]; errors: readonly string[] }) =>
    `None of the ${count} places asked told the address: ${errors.join('; ')}. Is this machine on a network?`,
  'sources-failed': ({ sources, error }: { sources: readonly string[]; error: string }) =>
    `No address from ${list(sources)}: ${error}.`,
  'public-side-unknown': ({ reason }: { reason: string }) => `The public side of this port is unknown: ${reason}.`,
  'public-side-assumed': ({ server, remote }: { server: string; remote: string }) =>
    `The public side towards ${remote} is assumed: only ${server} told what it sees. It holds towards other hosts too unless the NAT is symmetric; a second server (--stun twice) would tell.`,
  'mapping-forgotten': ({ withinS, keepaliveS }: { withinS: number; keepaliveS: number | null }) =>
    `The NAT forgot the public side of this port after at most ${withinS} s without a packet. ${keepaliveS === null ? 'No keepalive that was tried held it.' : `A packet every ${keepaliveS} s holds it: --keepalive ${keepaliveS}.`}`,
  'path-unseen': ({ remote, local, paths }: { remote: string; local: string; paths: readonly string[] }) =>
    `The way to ${remote} leaves from ${local}, and the servers were reached another way, from ${list(paths)}: what they see says nothing of it.`,
  'peer-sees-other': ({ remote, seen, others }: { remote: string; seen: string; others: readonly string[] }) =>
    `${remote} sees ${seen}, and the servers ${list(others)}: this NAT maps by destination (symmetric), or held that flow already and gave another port.`,
  'symmetric-punch': ({ remote, seen }: { remote: string; seen: readonly string[] }) =>
    `This NAT is symmetric: the same local port has another public side for each destination (${list(seen)}), so what it will be towards ${remote} cannot be told beforehand, and a plain punch cannot be promised. It works when the other side accepts packets from any port: a public host, or one behind a full or restricted cone NAT. Towards a port-restricted cone it takes port prediction, towards another symmetric NAT a relay.`,
  'no-peer-answer': ({ remote, sent }: { remote: string; sent: number }) =>
    `${sent} packet${sent === 1 ? '' : 's'} went out and nothing came back from ${remote}. Either the other side has not sent yet (run the command shown there while this one waits), or its public side is another than ${remote}, as behind a symmetric NAT. Or its router answers what comes in before its own host has sent, and then holds that flow for half a minute, as an unfirewalled Linux router does: wait so long, run this with --ttl 2, and then the other side.`,
  'punch-refused': ({ remote }: { remote: string }) =>
    `${remote} refused (ICMP port unreachable): no program listens there, or a router answered whose own host had not sent yet. Such a router then holds the flow for half a minute: wait so long, run this with --ttl 2, and then the other side.`,
  'echo-server': ({ remote }: { remote: string }) =>
    `${remote} is a UDP echo server: our own datagram came back unchanged. Packets pass both ways; nobody there punches.`,
  'sends-refused': ({ error, sent }: { error: string; sent: number }) =>
    `Sending stopped after ${sent} packet${sent === 1 ? '' : 's'}: for a second nothing could be sent (${error}).`,
  'port-shared': ({ local }: { local: string }) =>
    `Another program holds ${local} too, and hears what arrives there. To leave it everything, this one does not wait for an answer; --timeout makes it wait, and then answers from the remote end come here.`,
  'others-ignored': ({ count, first }: { count: number; first: string }) =>
    `${count} datagram${count === 1 ? '' : 's'} from others than ${first} ${count === 1 ? 'was' : 'were'} not taken: as in nc, the first sender is the only one. With -k all are heard.`,
  refused: ({ remote }: { remote: string }) => `${remote} refused: no program listens there (ICMP port unreachable).`,
  'no-reply': ({ remote }: { remote: string }) => `No reply from ${remote}.`,

  // How long holes stay open.
  'nobody-outside': ({ reasons }: { reasons: readonly string[] }) =>
    `Nobody outside can send to a hole of this host, so its lifetime stays unknown: ${reasons.join('; ')}. It takes a server with RESPONSE-PORT (RFC 5780), as nat-tool serve is on one address too, or a TURN relay.`,
  'no-hole-needed': ({ local }: { local: string }) =>
    `A port of ${local} from which nothing was ever sent is reached from outside: no NAT and no filter is on the way, and no hole needs to be kept open.`,
  'holes-refused': ({ asked, answered }: { asked: number; answered: number }) =>
    `Of ${asked} new holes only ${answered} were answered, more are missing than loss explains: the NAT has a limit for one host, or the server one for its clients. Fewer ages were tried. A NAT that is short of entries may drop them sooner: this is how it is now.`,
  'holes-elsewhere': ({ count }: { count: number }) =>
    `${count} hole${count === 1 ? '' : 's'} had another public address, which the server cannot be asked to send to: the NAT has several.`,
  'entries-differ': ({ after }: { after: 'one-packet' | 'both-ways' }) =>
    `Of the holes after ${AFTER[after]} some were gone when others of the same age were open: this NAT's entries differ. The lower bound is that of those that went first.`,
  'holes-short-lived': ({ after }: { after: 'one-packet' | 'both-ways' }) =>
    `Holes after ${AFTER[after]} were gone within about three seconds: a life too short to be measured, or a router that restarted just then.`,
  'nat-forgot-all': ({ after }: { after: 'one-packet' | 'both-ways' }) =>
    `A hole that was in use a moment before was gone too: the NAT lost what it knew, as a router that restarts. How long holes live after ${AFTER[after]} is known only as far as they were seen open.`,
  'holes-vanish': ({ after, server }: { after: 'one-packet' | 'both-ways'; server: string }) =>
    `No hole after ${AFTER[after]} was ever seen open, not even at once: either it is gone within seconds, or ${server} does not send there.`,
  'holes-exhausted': ({ after, holes }: { after: 'one-packet' | 'both-ways'; holes: number }) =>
    `${holes === 0 ? 'No hole' : `Of the ${holes} holes`} after ${AFTER[after]} ${holes === 0 ? 'could be opened' : 'none was left before one was gone'}: there is only a lower bound.`,
  'lifetime-known': ({
    holes,
    keepaliveS,
    date,
  }: {
    holes: readonly string[];
    keepaliveS: number | null;
    date: string;
  }) =>
    `A hole here stays open ${list(holes)}, as nat-tool lifetime found on ${date}${keepaliveS === null ? '' : `; a packet every ${keepaliveS} s holds it`}.`,
  'outlives-max': ({ after, maxS }: { after: 'one-packet' | 'both-ways'; maxS: number }) =>
    `After ${AFTER[after]} holes outlive the ${maxS} s that were looked at. --max looks further.`,
  'ages-void': ({ after }: { after: 'one-packet' | 'both-ways' }) =>
    `At the greatest ages after ${AFTER[after]} nothing could be told, because the control was silent too: the network was away, or the server answers too seldom. There is only a lower bound.`,
  'clocks-parted': () =>
    'The clock on the wall and the one that counts seconds have parted: this host slept, or its clock was set. What was measured until then stands; the rest is void.',
  'public-address-moved': ({ server }: { server: string }) =>
    `${server} sees another public address than at the beginning: the network has changed. What was measured until then stands; the rest is void.`,

  // Of the layers of a path.
  'path-tunnel': ({ interface: name }: { interface: string }) =>
    `The path leaves by ${name}, a tunnel's interface: what is shown is the path from the tunnel's other end.`,
  'path-no-gateway': () => 'The routing table names no gateway, so no router was asked for its outside address.',
  'path-gateway-silent': ({ gateway }: { gateway: string }) =>
    `The router ${gateway} answers neither PCP nor NAT-PMP nor UPnP: its outside address can only be inferred.`,
  'path-other-way': ({ external, mapped }: { external: string; mapped: string }) =>
    `The router's outside address is ${external}, but the server sees ${mapped}: a further NAT, a tunnel, or a second line. Nothing tells which.`,
  'path-gateway-unseen': ({ hop }: { hop: number | null }) =>
    `The outermost NAT is at hop ${hop ?? 'unknown'}. Whether a box before it translates too does not show: the number of NATs is unknown, at least one.`,
  'path-behind-unseen': () =>
    'At least one NAT. Whether another one follows that filters nothing, as some carriers have, does not show.',
  'path-no-second-address': ({ server }: { server: string }) =>
    `${server} has no second address, so the hop of the filter was not looked for. Name a server that supports RFC 5780.`,
  'path-no-control': ({ server }: { server: string }) =>
    `No answer came in from ${server}'s second address, however far the packet went that should open the way: the NAT is symmetric, or the server does not honour CHANGE-REQUEST. The hop of the filter is unknown.`,
  // Ports that routers open.
  'no-router': () =>
    'No router is known: this host has no default route of that family, or one into a tunnel that has no router.',
  'no-port-control': ({ router }: { router: string }) =>
    `The router ${router} answers neither PCP nor NAT-PMP nor UPnP: it knows none of them, or they are switched off. Forward the port by hand in its settings, or switch UPnP or PCP on there.`,
  'port-refused': ({ protocol, words }: { protocol: string; words: string }) => `${protocol}: ${words}.`,
  'second-nat': ({ wan, seen }: { wan: string | null; seen: string | null }) =>
    `The router is itself behind another NAT${wan === null ? '' : `: its outside address is ${wan}`}${seen === null ? '' : `, and the internet sees ${seen}`}. A port opened in this router cannot be reached from there: the other NAT (a carrier's CGNAT, or a second router) would have to open one too. IPv6, or a public address from the provider, would help.`,
  'mapped-but-closed': ({ protocol, by }: { protocol: string; by: string }) =>
    `The router granted the port by ${protocol}, but what ${by} sent to it did not come in: the router does not do what it says, or a firewall on this host or before the router stops it.`,
  'other-way-out': ({ wan, seen }: { wan: string; seen: string }) =>
    `The router's outside address is ${wan}, and servers see ${seen}: this host's traffic leaves by another way (a VPN, a second line), so the port could not be tried.`,
  'mapping-untried': ({ why }: { why: string }) => `Whether the port is open was not seen: ${why}.`,
  'mapping-lost': ({ words }: { words: string }) => `The mapping was lost for a time: ${words}.`,
  'mapping-left': ({ words }: { words: string }) =>
    `The mapping could not be removed (${words}). It ends by itself when its life is over; nat-tool map --remove tries again.`,
  'mapping-permanent': () =>
    'This router grants mappings for good alone: one that a program does not remove stays there. nat-tool map --list shows them.',
  'no-mapping-list': ({ router }: { router: string }) =>
    `The router ${router} shows no list: UPnP alone has one, and it does not answer to that.`,
  'router-elsewhere': ({ host, router }: { host: string; router: boolean }) =>
    router
      ? `The router's UPnP description names ${host}, which is another address of its own: the router was asked at its usual one.`
      : `A UPnP answer leads to ${host}, which is not the router: it was not followed.`,
  'router-strangers': ({ count, first }: { count: number; first: string }) =>
    `${count} UPnP answer${count === 1 ? '' : 's'} came from others than the router (${first} first), and ${count === 1 ? 'was' : 'were'} not believed.`,
  'router-unusable': ({ words }: { words: string }) => `The router answers by UPnP, but cannot be used: ${words}.`,

  // Why something stays unknown.
  'mapping-same-on-ports': ({ server }: { server: string }) =>
    `Two ports of ${server} see the same public side, so the mapping does not go by the port. Few NATs go by the address alone; a second address of that server, or a second server, would tell.`,
  'mapping-needs-second-address': ({ server, among }: { server: string; among?: boolean }) =>
    `${among ? `Of all answers only that of ${server} counts` : `Only ${server} answered`}: whether the NAT maps differently for another destination needs a second server address. Name a second server.`,
  'mapping-dependence-unknown': () =>
    'The public side differs from server to server, so the NAT is symmetric; whether by address or by address and port needs a server with two ports.',
  'filtering-inconclusive': ({ server }: { server: string }) =>
    `Too many exchanges with ${server} were lost to tell a filter from loss.`,

  ...CONNECT_TEXTS,
  ...SERVER_TEXTS,
  ...TURN_TEXTS,
  ...WEBRTC_TEXTS,
} as const satisfies Record<string, (parameters: never) => string>;

/** Every kind of remark; a kind has one text. */
export type FindingKind = keyof typeof TEXTS;
type Parameters<K extends FindingKind> = (typeof TEXTS)[K] extends (parameters: infer P extends object) => string
  ? P
  : Record<never, never>;

/** A remark on a result: its kind is for programs, its text for people. */
export interface Finding {
  readonly kind: FindingKind;
  /** One or two plain sentences. */
  readonly text: string;
  /** The particulars that the text mentions, by name. */
  readonly [parameter: string]: unknown;
}

export function finding<K extends FindingKind>(
  kind: K,
  ...[parameters]: Record<never, never> extends Parameters<K> ? [] : [Parameters<K>]
): Finding {
  const text = (TEXTS[kind] as (parameters: Parameters<K> | undefined) => string)(parameters);
  return { kind, text, ...parameters };
}
