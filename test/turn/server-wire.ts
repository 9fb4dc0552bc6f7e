/** A TURN server without a network: sockets that only remember, and clients that know how to log in. */
import type { Endpoint } from '../../src/net/address.ts';
import { seededRandom } from '../../src/lab/random.ts';
import { attribute, type Attribute } from '../../src/stun/attributes.ts';
import { longTermKey } from '../../src/stun/credentials.ts';
import { type Decoded, decode, encode, get, METHOD } from '../../src/stun/message.ts';
import type { Opening } from '../../src/turn/server-allocating.ts';
import type { ClientLine, PeerSocket } from '../../src/turn/server-allocation.ts';
import { type TurnAction, TurnServer, type TurnServerOptions } from '../../src/turn/server.ts';
import { fixedUsers } from '../../src/turn/users.ts';

export const SERVER: Endpoint = { address: '40.30.20.10', port: 3478 };
export const CLIENT: Endpoint = { address: '12.13.14.15', port: 24604 };
export const PEER: Endpoint = { address: '50.60.70.80', port: 5000 };
export const text = (of: string): Uint8Array => new TextEncoder().encode(of);
const REALM = 'example.test';

const random = seededRandom(1, 'turn wire');
export const newId = (): Uint8Array => random.bytes(12);

interface Posted {
  readonly data: Uint8Array;
  readonly to: Endpoint;
}

export class FakeSocket implements PeerSocket {
  readonly posted: Posted[] = [];
  closed = false;
  receive: ((from: Endpoint, data: Uint8Array, now: number) => void) | undefined;
  readonly local: Endpoint;
  constructor(local: Endpoint) {
    this.local = local;
  }
  post(data: Uint8Array, to: Endpoint): void {
    this.posted.push({ data, to });
  }
  hear(receive: FakeSocket['receive']): void {
    this.receive = receive;
  }
  close(): void {
    this.closed = true;
  }
}

export class FakeLine implements ClientLine {
  readonly transport: 'udp' | 'tcp';
  readonly local = SERVER;
  readonly posted: Posted[] = [];
  constructor(transport: 'udp' | 'tcp' = 'udp') {
    this.transport = transport;
  }
  post(data: Uint8Array, to: Endpoint): void {
    this.posted.push({ data, to });
  }
}

/** The server, its sockets, and a clock that stands where it is put. */
export class Relays {
  readonly server: TurnServer;
  readonly sockets: FakeSocket[] = [];
  readonly noted: TurnAction[] = [];
  readonly line = new FakeLine();
  /** Ports that are taken by others. */
  readonly taken = new Set<number>();
  now = 0;

  constructor(options: Partial<TurnServerOptions> = {}) {
    this.server = new TurnServer({
      realm: REALM,
      users: fixedUsers(
        new Map([
          ['alice', 'secret'],
          ['bob', 'hidden'],
        ]),
      ),
      random: seededRandom(2, 'turn server'),
      date: () => 1_700_000_000_000 + this.now,
      isOwn: (address) => address === SERVER.address,
      serves: (endpoint) => endpoint.address === SERVER.address && endpoint.port === SERVER.port,
      relayAddress: (_, family) => (family === 4 ? SERVER.address : '2001:db8:40::10'),
      ...options,
    });
  }

  /** The bytes that went back to the client. */
  send(data: Uint8Array, from: Endpoint = CLIENT, line: ClientLine = this.line): Decoded[] {
    return this.perform(this.server.handle({ kind: 'message', line, from, data }, this.now));
  }

  wake(): void {
    this.perform(this.server.wake(this.now));
  }

  perform(actions: readonly TurnAction[]): Decoded[] {
    const answers: Decoded[] = [];
    for (const action of actions) {
      if (action.kind === 'send') answers.push(decode(action.data));
      else if (action.kind === 'open') answers.push(...this.#open(action.opening));
      else if (action.kind === 'close') action.socket.close();
      else if (action.kind === 'listen') {
        const { relay } = action;
        relay.socket.hear((from, data, now) => this.server.data.fromPeer(relay, from, data, now));
      } else this.noted.push(action);
    }
    return answers;
  }

  #open(opening: Opening): Decoded[] {
    const isOurs = (port: number) =>
      this.sockets.some(({ local, closed }) => !closed && local.port === port && local.address === opening.address);
    if (opening.ports.some((port) => this.taken.has(port) || isOurs(port)))
      return this.perform(this.server.handle({ kind: 'failed', opening, taken: true }, this.now));
    const sockets = opening.ports.map((port) => new FakeSocket({ address: opening.address, port }));
    this.sockets.push(...sockets);
    return this.perform(this.server.handle({ kind: 'opened', opening, sockets }, this.now));
  }
}

/** A client, as far as requests go. */
export class FakeClient {
  readonly relays: Relays;
  readonly from: Endpoint;
  readonly line: ClientLine;
  readonly username: string;
  readonly password: string;
  nonce = '';

  constructor(
    relays: Relays,
    {
      from = CLIENT,
      line = relays.line,
      username = 'alice',
      password = 'secret',
    }: { from?: Endpoint; line?: ClientLine; username?: string; password?: string } = {},
  ) {
    this.relays = relays;
    this.from = from;
    this.line = line;
    this.username = username;
    this.password = password;
  }

  get key(): Uint8Array {
    return longTermKey(this.username, REALM, this.password, 'MD5');
  }

  bare(method: number, attributes: readonly Attribute[] = []): Decoded | undefined {
    return this.raw(encode({ class: 'request', method, transactionId: newId(), attributes }));
  }

  raw(data: Uint8Array): Decoded | undefined {
    return this.relays.send(data, this.from, this.line)[0];
  }

  sealed(method: number, attributes: readonly Attribute[], transactionId = newId()): Uint8Array {
    const login = [attribute('USERNAME', this.username), attribute('REALM', REALM), attribute('NONCE', this.nonce)];
    return encode(
      { class: 'request', method, transactionId, attributes: [...login, ...attributes] },
      { key: this.key },
    );
  }

  /** Logged in: asks for a nonce where it has none. */
  ask(method: number, attributes: readonly Attribute[]): Decoded {
    if (this.nonce === '') {
      const challenge = this.bare(METHOD.allocate, [attribute('REQUESTED-TRANSPORT', 17)]);
      this.nonce = (challenge && get(challenge, 'NONCE')) ?? '';
    }
    const answer = this.raw(this.sealed(method, attributes));
    if (!answer) throw new Error('no answer');
    return answer;
  }

  allocate(...more: readonly Attribute[]): Decoded {
    return this.ask(METHOD.allocate, [attribute('REQUESTED-TRANSPORT', 17), ...more]);
  }

  permit(...peers: readonly Endpoint[]): Decoded {
    return this.ask(
      METHOD.createPermission,
      peers.map((peer) => attribute('XOR-PEER-ADDRESS', peer)),
    );
  }

  bind(number: number, peer: Endpoint): Decoded {
    return this.ask(METHOD.channelBind, [attribute('CHANNEL-NUMBER', number), attribute('XOR-PEER-ADDRESS', peer)]);
  }

  refresh(lifetime: number, ...more: readonly Attribute[]): Decoded {
    return this.ask(METHOD.refresh, [attribute('LIFETIME', lifetime), ...more]);
  }

  sendTo(peer: Endpoint, data: Uint8Array): void {
    this.raw(
      encode({
        class: 'indication',
        method: METHOD.send,
        transactionId: newId(),
        attributes: [attribute('XOR-PEER-ADDRESS', peer), attribute('DATA', data)],
      }),
    );
  }

  channelData(message: Uint8Array): void {
    this.relays.server.data.fromClient(this.line, this.from, message, this.relays.now);
  }
}

/** `success`, or the code of the error. */
export const outcome = (answer: Decoded | undefined): number | 'success' | undefined =>
  answer && (answer.class === 'success' ? 'success' : get(answer, 'ERROR-CODE')?.code);
