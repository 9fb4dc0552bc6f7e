/** A STUN server on a simulated host: the real responder, and in front of it whatever a bad server does. */
import { startRendezvous } from '../rendezvous/service.ts';
import { type Endpoint, sameEndpoint } from '../net/address.ts';
import { type Env, NetError, type UdpSocket } from '../net/env.ts';
import { type Attribute, attribute } from '../stun/attributes.ts';
import { Deframer } from '../stun/framing.ts';
import { decode, encode, get, looksLikeStun, type MessageClass, StunFormatError } from '../stun/message.ts';
import { changedRole, createStunServer, type Role, ROLES, respond, type ServerAnswer } from '../stun/server.ts';

/** What a server may do wrong. The first group concerns RFC 5780 only, the second every answer. */
export const SERVER_FAULTS = [
  'no-other-address', //        plain STUN: one address, CHANGE-REQUEST gets 420
  'other-address-missing', //   honours CHANGE-REQUEST, but never says OTHER-ADDRESS
  'other-address-same-ip', //   OTHER-ADDRESS has the server's own IP; only the port ever changes
  'other-address-dead', //      nobody is at OTHER-ADDRESS
  'other-address-private', //   OTHER-ADDRESS is the server's view from behind its own NAT
  'change-ignored', //          answers from where it was asked
  'change-port-only', //        changes the port, never the address
  'change-dropped',
  'change-420',
  'change-400',
  'no-response-port', //        takes RESPONSE-PORT and ignores it
  'error', //                   500 to everything
  'wrong-id',
  'wrong-source', //            every answer comes from another port
  'garbage',
  'mapped-only', //             MAPPED-ADDRESS and nothing else, as in RFC 3489
  'no-mapped-address', //       a success answer that says nothing
  'unknown-attribute', //       a comprehension-required attribute that nobody knows
  'duplicate',
  'stray', //                   a datagram of another protocol goes before each answer
  'late-change', //             answers from a changed source come a second late
  'slow', //                    every answer comes 700 ms late
  'rate-limited', //            two answers a second
  'silent',
] as const;
export type ServerFault = (typeof SERVER_FAULTS)[number];

/** A delay of some answers: those sent from this role, or by this test of the predicate. */
export interface ServerDelay {
  readonly ms: number;
  /** Only answers sent from here. */
  readonly via?: Role;
  /** Only answers to requests that arrived here. */
  readonly asked?: Role;
}

export interface StunServiceOptions {
  /** As clients see them; with fewer than four roles it is a plain STUN server. */
  readonly endpoints: Readonly<Partial<Record<Role, Endpoint>>>;
  readonly faults?: readonly ServerFault[] | undefined;
  readonly delays?: readonly ServerDelay[] | undefined;
  readonly software?: string | undefined;
}

interface Request {
  readonly role: Role;
  readonly from: Endpoint;
  readonly data: Uint8Array;
  readonly now: number;
}

type Answer = ServerAnswer & { readonly delayMs?: number };
type Fault = (answers: Answer[], request: Request) => Answer[];

/** Where the liars' OTHER-ADDRESS points. */
const DEAD_ADDRESS = '40.30.20.99';
const PRIVATE_ADDRESS = '10.0.0.11';

/** Starts the server with the host's Env; resolves when its sockets are open. */
export async function startStunService(env: Env, options: StunServiceOptions): Promise<{ close(): void }> {
  const faults = options.faults ?? [];
  const endpoints = faults.includes('no-other-address') ? onlyPrimary(options.endpoints) : options.endpoints;
  const server = createStunServer({
    endpoints,
    software: options.software,
    limit: { perSecond: Number.POSITIVE_INFINITY, burst: 1 },
    random: env.random,
  });
  const decorators = faults.map((fault) => decorator(fault, options.endpoints));
  const sockets = new Map<Role, UdpSocket>();
  // As `serve` has it; a server with faults is an old one, without.
  const rendezvous =
    faults.length === 0
      ? startRendezvous(env, {
          endpoints,
          send: ({ viaRole, data, to }) =>
            void sockets
              .get(viaRole)
              ?.send(data, to)
              .catch(() => {}),
        })
      : undefined;
  const answer = (request: Request): void => {
    if (rendezvous?.accept(request)) return;
    const first = respond(server, request);
    let answers: Answer[] = first ? [first] : [];
    for (const decorate of decorators) answers = decorate(answers, request);
    for (const each of answers) {
      const delays = (options.delays ?? []).filter(
        ({ via, asked }) => (via ?? each.viaRole) === each.viaRole && (asked ?? request.role) === request.role,
      );
      const delayMs = delays.reduce((sum, { ms }) => sum + ms, each.delayMs ?? 0);
      const send = (): void =>
        void (sockets.get(each.viaRole) ?? sockets.get(request.role))?.send(each.data, each.to).catch(() => {});
      if (delayMs > 0) env.clock.after(delayMs, send);
      else send();
    }
  };
  for (const role of ROLES) {
    const endpoint = options.endpoints[role];
    if (!endpoint) continue;
    const socket = await env.udp.open({ family: endpoint.address.includes(':') ? 6 : 4, ...endpoint });
    socket.listen({ datagram: ({ data, from, at }) => answer({ role, from, data, now: at }) });
    sockets.set(role, socket);
  }
  const primary = endpoints.A1P1;
  // Only a server that is silent altogether looks like one that is down; the other faults are those of its UDP side.
  const listener =
    primary &&
    !faults.includes('silent') &&
    (await env.tcp.listen(primary, async (stream) => {
      const deframer = new Deframer();
      try {
        for await (const chunk of stream) {
          for (const data of deframer.push(chunk)) {
            const packet = { role: 'A1P1', from: stream.remote, data, now: env.clock.now(), transport: 'tcp' } as const;
            const reply = respond(server, packet);
            if (reply) await stream.write(reply.data);
          }
        }
      } catch (error) {
        if (!(error instanceof NetError || error instanceof StunFormatError)) throw error;
      } finally {
        stream.close();
      }
    }));
  return {
    close: () => {
      if (listener) listener.close();
      for (const socket of sockets.values()) socket.close();
    },
  };
}

const onlyPrimary = (endpoints: StunServiceOptions['endpoints']): StunServiceOptions['endpoints'] =>
  endpoints.A1P1 ? { A1P1: endpoints.A1P1 } : {};

function decorator(fault: ServerFault, endpoints: StunServiceOptions['endpoints']): Fault {
  const other = (role: Role, address: string): Endpoint => ({
    address,
    port: endpoints[changedRole(role, false, true)]?.port ?? 3479,
  });
  switch (fault) {
    case 'no-other-address':
      return (answers) => answers;
    case 'other-address-missing':
      return eachAnswer((attributes) => attributes.filter(({ name }) => !claims(name)));
    case 'other-address-same-ip':
      return chain(
        onChange((answers, request, change) =>
          change.ip ? answers.map((each) => ({ ...each, viaRole: changedRole(request.role, false, true) })) : answers,
        ),
        eachAnswer((attributes, request) =>
          claim(attributes, other(request.role, endpoints[request.role]?.address ?? DEAD_ADDRESS)),
        ),
      );
    case 'other-address-dead':
      return chain(
        onChange((answers, _, change) => (change.ip ? [] : answers)),
        eachAnswer((attributes, request) => claim(attributes, other(request.role, DEAD_ADDRESS))),
      );
    case 'other-address-private':
      return chain(
        onChange((answers, _, change) => (change.ip ? [] : answers)),
        eachAnswer((attributes, request) => claim(attributes, other(request.role, PRIVATE_ADDRESS))),
      );
    case 'change-ignored':
      return onChange((answers, { role }) => answers.map((each) => ({ ...each, viaRole: role })));
    case 'change-port-only':
      return onChange((answers, { role }, change) =>
        answers.map((each) => ({ ...each, viaRole: changedRole(role, false, change.port) })),
      );
    case 'change-dropped':
      return onChange(() => []);
    case 'change-420':
      return onChange((answers, request) =>
        refuse(answers, request, 420, 'Unknown Attribute', [attribute('UNKNOWN-ATTRIBUTES', [0x0003])]),
      );
    case 'change-400':
      return onChange((answers, request) => refuse(answers, request, 400, 'Bad Request'));
    case 'no-response-port':
      return (answers, { from }) => answers.map((each) => ({ ...each, to: from }));
    case 'error':
      return (answers, request) => refuse(answers, request, 500, 'Server Error');
    case 'wrong-id':
      return (answers) =>
        answers.map((each) => {
          const data = each.data.slice();
          data[data.length > 8 ? 8 : 0] = (data[8] ?? 0) ^ 0xff;
          return { ...each, data };
        });
    case 'wrong-source':
      return (answers) => answers.map((each) => ({ ...each, viaRole: changedRole(each.viaRole, false, true) }));
    case 'garbage':
      return (answers) =>
        answers.map((each) => ({ ...each, data: Uint8Array.from({ length: 40 }, (_, i) => (i * 37 + 11) & 0xff) }));
    case 'mapped-only':
      return eachAnswer((attributes) =>
        attributes.filter(({ name }) => name === 'MAPPED-ADDRESS' || name === 'ERROR-CODE'),
      );
    case 'no-mapped-address':
      return eachAnswer((attributes) =>
        attributes.filter(({ name }) => name !== 'MAPPED-ADDRESS' && name !== 'XOR-MAPPED-ADDRESS'),
      );
    case 'unknown-attribute':
      return eachAnswer((attributes) => [...attributes, { name: undefined, type: 0x7ffe, value: new Uint8Array(4) }]);
    case 'duplicate':
      return (answers) => answers.flatMap((each) => [each, each]);
    case 'stray':
      return (answers) =>
        answers.flatMap((each) => [{ ...each, data: new TextEncoder().encode('who goes there?') }, each]);
    case 'late-change':
      return onChange((answers) => answers.map((each) => ({ ...each, delayMs: 1000 })));
    case 'slow':
      return (answers) => answers.map((each) => ({ ...each, delayMs: 700 }));
    case 'rate-limited':
      return rateLimited();
    case 'silent':
      return () => [];
  }
}

const chain =
  (...faults: readonly Fault[]): Fault =>
  (answers, request) =>
    faults.reduce((left, fault) => fault(left, request), answers);

/** For requests with a CHANGE-REQUEST that asks for something. */
function onChange(
  fault: (answers: Answer[], request: Request, change: { readonly ip: boolean; readonly port: boolean }) => Answer[],
): Fault {
  return (answers, request) => {
    const change = looksLikeStun(request.data) ? get(decode(request.data), 'CHANGE-REQUEST') : undefined;
    return change && (change.ip || change.port) ? fault(answers, request, change) : answers;
  };
}

function eachAnswer(rewrite: (attributes: readonly Attribute[], request: Request) => readonly Attribute[]): Fault {
  return (answers, request) =>
    answers.map((each) => ({ ...each, data: rewritten(each.data, (attributes) => rewrite(attributes, request)) }));
}

function rewritten(
  data: Uint8Array,
  rewrite: (attributes: readonly Attribute[]) => readonly Attribute[],
  as?: MessageClass,
): Uint8Array {
  const message = decode(data);
  const sealed = message.attributes.some(({ name }) => name === 'FINGERPRINT');
  const attributes = rewrite(message.attributes.filter(({ name }) => name !== 'FINGERPRINT'));
  return encode(
    { class: as ?? message.class, method: message.method, transactionId: message.transactionId, attributes },
    { fingerprint: sealed },
  );
}

const refuse = (
  answers: Answer[],
  request: Request,
  code: number,
  reason: string,
  more: readonly Attribute[] = [],
): Answer[] =>
  answers.map((each) => ({
    data: rewritten(each.data, () => [attribute('ERROR-CODE', { code, reason }), ...more], 'error'),
    to: request.from,
    viaRole: request.role,
  }));

const claims = (name: Attribute['name']): boolean => name === 'OTHER-ADDRESS' || name === 'CHANGED-ADDRESS';

const claim = (attributes: readonly Attribute[], endpoint: Endpoint): readonly Attribute[] =>
  attributes.map((each) =>
    each.name === 'OTHER-ADDRESS' || each.name === 'CHANGED-ADDRESS' ? attribute(each.name, endpoint) : each,
  );

/** Two answers at once to a source, then two a second. */
function rateLimited(): Fault {
  const recent: { readonly from: Endpoint; readonly at: number }[] = [];
  return (answers, { from, now }) => {
    const spent = recent.filter(
      (each) => each.at > now - 1000 && sameEndpoint(each.from, { address: from.address, port: each.from.port }),
    ).length;
    if (spent >= 2) return [];
    recent.push({ from, at: now });
    return answers;
  };
}
