/**
 * Whether a port of this host that a router keeps open can be reached by anybody, tried from outside.
 *
 * A socket X asks a server for an answer to the mapped port (RESPONSE-PORT), from the server's other address where it has one
 * (CHANGE-REQUEST; RFC 5780 §7). The port's own socket sends nothing, to nobody: whatever comes in was let in by the router alone. Silence
 * counts only where the same request was seen to be honoured: a socket Y, which has sent to that other address and so has a hole for it, is
 * the target of a control.
 *
 * A server without RESPONSE-PORT answers X itself. Then the port's own socket asks for an answer from the other address; that proves
 * the mapping only where its packets leave by the mapped port too.
 */
import { type Endpoint, type Family, formatEndpoint, sameEndpoint, scopeOf } from '../../net/address.ts';
import { type Env, ignoreNetError, NetError, type UdpSocket } from '../../net/env.ts';
import { Gate, scope } from '../../net/wait.ts';
import { plain as sighted } from '../../nat/evidence.ts';
import { isBehindNat } from '../../portmap/refusal.ts';
import { type Attribute, attribute } from '../../stun/attributes.ts';
import { alternateAddress, encodeBinding } from '../../stun/binding.ts';
import { type Decoded, mappedAddress, tryDecode } from '../../stun/message.ts';

export type OpennessEnv = Pick<Env, 'clock' | 'random' | 'udp'>;

export interface OpennessOptions {
  readonly family: Family;
  /** Local address. */
  readonly source?: string | undefined;
  /** The mapped port of this host. */
  readonly port: number;
  /** Its public side, as the router tells it. */
  readonly mapped: { readonly address: string | undefined; readonly port: number };
  /** STUN servers, best first. */
  readonly servers: readonly Endpoint[];
  /** Whether what is not public can be true: a server inside this network, on purpose. */
  readonly local?: boolean | undefined;
}

export interface Openness {
  readonly open: 'yes' | 'no' | 'unknown';
  /**
   * `proven`: it came in. `silent`: it did not, and should have. `held`: another program has the port. `no-server`: none answered.
   * `not-honoured`: none sends where it is told to. `elsewhere`: servers see another public address than the router's own.
   */
  readonly why: 'proven' | 'silent' | 'held' | 'no-server' | 'not-honoured' | 'elsewhere';
  /** Where the answer came from, or would have. */
  readonly by: string | undefined;
  /** The public address that servers see. */
  readonly seen: string | undefined;
}

/** Servers that are tried, one after the other. */
const MOST_SERVERS = 4;
/** Sends of one request, 50 ms apart: losses come in bursts. Six lost at 10 % each way are one in 20,000. */
const SENDS = 6;
const SPACING_MS = 50;
/** After the last send: the slowest way to a server and back. */
const PATIENCE_MS = 700;

/** Bounded by about 2 s a server. Rejects with the signal's reason, or NetError where no socket can be opened. */
export async function testOpenness(env: OpennessEnv, options: OpennessOptions, signal: AbortSignal): Promise<Openness> {
  const { family, source, port } = options;
  const bounds = scope(env.clock, signal);
  const opened: UdpSocket[] = [];
  const gate = new Gate(env.clock);
  const open = async (own?: number): Promise<Ear> => {
    const socket = await env.udp.open({ family, address: source, port: own }, signal);
    opened.push(socket);
    return new Ear(env, socket, gate);
  };
  try {
    const held = { open: 'unknown', why: 'held', by: undefined, seen: undefined } as const;
    const mapped = await open(port).catch((error: unknown) => {
      if (error instanceof NetError && error.kind === 'in-use') return undefined;
      throw error;
    });
    if (!mapped) return held;
    const trial = new OpennessTrial(options, mapped, await open(), await open(), bounds.signal);
    let best: Openness = { open: 'unknown', why: 'no-server', by: undefined, seen: undefined };
    for (const server of options.servers.slice(0, MOST_SERVERS)) {
      const outcome = await trial.by(server);
      if (outcome.open !== 'unknown') return outcome;
      if (best.why === 'no-server') best = outcome;
    }
    return best;
  } finally {
    bounds.end();
    for (const socket of opened) socket.close();
  }
}

interface Heard {
  readonly message: Decoded;
  readonly from: Endpoint;
}

/** A socket that remembers the answers it hears. */
class Ear {
  readonly #env: OpennessEnv;
  readonly #socket: UdpSocket;
  readonly #gate: Gate;
  readonly #answers: Heard[] = [];

  constructor(env: OpennessEnv, socket: UdpSocket, gate: Gate) {
    this.#env = env;
    this.#socket = socket;
    this.#gate = gate;
    socket.listen({
      datagram: ({ data, from }) => {
        const message = tryDecode(data);
        if (message?.class !== 'success' && message?.class !== 'error') return;
        // A flood of answers to nothing is no more than that.
        if (this.#answers.length < 256) this.#answers.push({ message, from });
        this.#gate.notify();
      },
    });
  }

  /** The answer to that transaction. */
  answer(id: Uint8Array): Heard | undefined {
    return this.#answers.find(({ message }) => Buffer.compare(message.transactionId, id) === 0);
  }

  newId(): Uint8Array {
    return this.#env.random.bytes(12);
  }

  /** Sends until `done` holds; whether it did in time. `done` is asked whenever something comes to any of the sockets. */
  async ask(
    to: Endpoint,
    id: Uint8Array,
    attributes: readonly Attribute[],
    done: () => boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    const request = encodeBinding('request', id, attributes);
    for (let i = 0; i < SENDS; i++) {
      await this.#socket.send(request, to).catch(ignoreNetError);
      if (await this.#gate.wait(done, i < SENDS - 1 ? SPACING_MS : PATIENCE_MS, signal)) return true;
    }
    return false;
  }
}

class OpennessTrial {
  readonly #options: OpennessOptions;
  readonly #mapped: Ear;
  readonly #asker: Ear;
  readonly #control: Ear;
  readonly #signal: AbortSignal;

  constructor(options: OpennessOptions, mapped: Ear, asker: Ear, control: Ear, signal: AbortSignal) {
    this.#options = options;
    this.#mapped = mapped;
    this.#asker = asker;
    this.#control = control;
    this.#signal = signal;
  }

  async by(server: Endpoint): Promise<Openness> {
    const unknown = (why: Openness['why'], seen?: Endpoint): Openness => ({
      open: 'unknown',
      why,
      by: undefined,
      seen: seen?.address,
    });
    const plain = await this.#plain(this.#asker, server);
    const told = plain && mappedAddress(plain.message);
    const seen = told && sighted(told);
    const { mapped, local = false } = this.#options;
    // A server inside this network sees nothing of the router's outside.
    if (!plain || !seen || scopeOf(seen.address) === 'unspecified' || (!local && isBehindNat(seen.address)))
      return unknown('no-server');
    // What goes to another address than the router's own reaches somebody else's port; behind another NAT nothing reaches it.
    if (mapped.address !== undefined && mapped.address !== seen.address)
      return { ...unknown('elsewhere', seen), open: isBehindNat(mapped.address) ? 'no' : 'unknown' };
    const other = alternateAddress(plain.message, server);
    const change = other ? [attribute('CHANGE-REQUEST', { ip: true, port: true })] : [];
    const target = [...change, attribute('RESPONSE-PORT', mapped.port)];
    const id = this.#asker.newId();
    const answered = (): boolean => this.#mapped.answer(id) !== undefined || this.#asker.answer(id) !== undefined;
    const [, honoured] = await Promise.all([
      this.#asker.ask(server, id, target, answered, this.#signal),
      this.#isHonoured(server, other),
    ]);
    const came = this.#mapped.answer(id);
    const by = came?.from ?? other ?? server;
    if (came?.message.class === 'success')
      return { open: 'yes', why: 'proven', by: formatEndpoint(by), seen: seen.address };
    if (honoured && !this.#asker.answer(id))
      return { open: 'no', why: 'silent', by: formatEndpoint(by), seen: seen.address };
    return other ? this.#byOwnSocket(server, seen) : unknown('not-honoured', seen);
  }

  /** Whether the server sends where RESPONSE-PORT says, from where CHANGE-REQUEST says, to a socket with an open way. */
  async #isHonoured(server: Endpoint, other: Endpoint | undefined): Promise<boolean> {
    const from = other ?? server;
    const plain = await this.#plain(this.#control, from);
    const here = plain && mappedAddress(plain.message);
    if (!here) return false;
    const attributes = [
      ...(other ? [attribute('CHANGE-REQUEST', { ip: true, port: true })] : []),
      attribute('RESPONSE-PORT', here.port),
    ];
    const id = this.#asker.newId();
    const heard = (): boolean => this.#control.answer(id) !== undefined;
    return this.#asker.ask(server, id, attributes, heard, this.#signal);
  }

  /** Without RESPONSE-PORT: the port's own socket asks, and only where it leaves by the mapped port does the answer say something. */
  async #byOwnSocket(server: Endpoint, seen: Endpoint): Promise<Openness> {
    const unknown: Openness = { open: 'unknown', why: 'not-honoured', by: undefined, seen: seen.address };
    const id = this.#mapped.newId();
    const heard = (): boolean => this.#mapped.answer(id) !== undefined;
    const change = [attribute('CHANGE-REQUEST', { ip: true, port: true })];
    await this.#mapped.ask(server, id, change, heard, this.#signal);
    const came = this.#mapped.answer(id);
    const own = came && mappedAddress(came.message);
    if (!came || came.from.address === server.address || own?.port !== this.#options.mapped.port) return unknown;
    return { open: 'yes', why: 'proven', by: formatEndpoint(came.from), seen: seen.address };
  }

  async #plain(ear: Ear, to: Endpoint): Promise<Heard | undefined> {
    const id = ear.newId();
    const answer = (): Heard | undefined => {
      const heard = ear.answer(id);
      return heard?.message.class === 'success' && sameEndpoint(heard.from, to) ? heard : undefined;
    };
    await ear.ask(to, id, [], () => answer() !== undefined, this.#signal);
    return answer();
  }
}
