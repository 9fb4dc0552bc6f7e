/** A TURN server for tests, on a simulated host: correct where nothing else is said, and with knobs for what servers do in the wild. */
import { type Endpoint, familyOf, formatEndpoint } from '../../src/net/address.ts';
import type { ByteStream, Env, UdpSocket } from '../../src/net/env.ts';
import { NetError } from '../../src/net/env.ts';
import { type Attribute, attribute } from '../../src/stun/attributes.ts';
import { longTermKey, userHash } from '../../src/stun/credentials.ts';
import { encodeNonce } from '../stun/nonce.ts';
import { Deframer } from '../../src/stun/framing.ts';
import { checkIntegrity } from '../../src/stun/integrity.ts';
import { type Decoded, encode, get, getAll, METHOD, type MessageClass, tryDecode } from '../../src/stun/message.ts';
import { decodeChannelData, encodeChannelData, looksLikeChannelData } from '../../src/turn/channel-data.ts';

export const LOGIN = { username: 'alice', password: 'secret' };
const REALM = 'example.net';

interface Held {
  readonly user: string;
  readonly reply: (data: Uint8Array) => void;
  readonly relays: UdpSocket[];
  readonly permissions: Map<string, number>;
  readonly channels: Map<number, { readonly peer: Endpoint; until: number }>;
  expiresAt: number;
  readonly allocateId: string;
  readonly answer: Uint8Array;
}

export class ScriptedTurn {
  /** Everybody may. */
  open = false;
  nonce = 'nonce-1';
  lifetimeS = 600;
  /** SHA-256 keys and hashed user names (RFC 8489 §9.2). */
  modern = false;
  /** Answers an authenticated request in place of the server; undefined lets it through. */
  refuse: (request: Decoded, from: Endpoint) => { readonly code: number; readonly more?: Attribute[] } | undefined =
    () => undefined;
  /** What the relayed address is said to be. */
  relayedAs: ((relayed: Endpoint) => Endpoint) | undefined;
  /** Drops what a peer sent, or what is sent to one. */
  drop: { fromPeer?: boolean; toPeer?: boolean } = {};
  /** Says nothing. */
  dead = false;
  readonly log: { readonly at: number; readonly what: string }[] = [];
  readonly #held = new Map<string, Held>();
  #env!: Env;
  #address = '';

  async start(env: Env, endpoint: Endpoint): Promise<void> {
    this.#env = env;
    this.#address = endpoint.address;
    const socket = await env.udp.open({ family: familyOf(endpoint.address), ...endpoint });
    const reply = (from: Endpoint) => (data: Uint8Array) => void socket.send(data, from).catch(() => {});
    socket.listen({ datagram: ({ data, from }) => void this.#take(data, from, reply(from), 'udp') });
    await env.tcp.listen(endpoint, (stream) => void this.#stream(stream));
  }

  /** Its memory is gone. */
  restart(nonce = 'nonce-2'): void {
    for (const { relays } of this.#held.values()) for (const relay of relays) relay.close();
    this.#held.clear();
    this.nonce = nonce;
  }

  /** It keeps the allocations, and nothing of who may send to them. */
  forgetPermissions(): void {
    for (const { permissions, channels } of this.#held.values()) {
      permissions.clear();
      channels.clear();
    }
  }

  get allocations(): number {
    return this.#held.size;
  }

  count(what: string): number {
    return this.log.filter((each) => each.what === what).length;
  }

  async #stream(stream: ByteStream): Promise<void> {
    const deframer = new Deframer({ channels: true });
    const send = (data: Uint8Array) => void stream.write(data).catch(() => {});
    try {
      for await (const chunk of stream)
        for (const data of deframer.push(chunk)) await this.#take(data, stream.remote, send, 'tcp');
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
    }
    this.#free(`tcp ${formatEndpoint(stream.remote)}`);
  }

  #free(key: string): void {
    for (const relay of this.#held.get(key)?.relays ?? []) relay.close();
    this.#held.delete(key);
  }

  async #take(data: Uint8Array, from: Endpoint, reply: (data: Uint8Array) => void, transport: string): Promise<void> {
    if (this.dead) return;
    const key = `${transport} ${formatEndpoint(from)}`;
    const now = this.#env.clock.now();
    const held = this.#held.get(key);
    if (held && held.expiresAt <= now) this.#free(key);
    if (looksLikeChannelData(data)) {
      const framed = decodeChannelData(data);
      const channel = framed && held?.channels.get(framed.number);
      this.log.push({ at: now, what: 'channel data' });
      if (framed && channel) this.#toPeer(held as Held, channel.peer, framed.data);
      return;
    }
    const message = tryDecode(data);
    if (!message) return;
    const name = Object.entries(METHOD).find(([, value]) => value === message.method)?.[0] ?? String(message.method);
    this.log.push({ at: now, what: `${name}${message.class === 'indication' ? ' indication' : ''}` });
    if (message.class === 'indication') {
      const peer = get(message, 'XOR-PEER-ADDRESS');
      const bytes = get(message, 'DATA');
      if (held && message.method === METHOD.send && peer && bytes) this.#toPeer(held, peer, bytes);
      return;
    }
    if (message.class === 'request') await this.#request(message, key, from, reply);
  }

  async #request(message: Decoded, key: string, from: Endpoint, reply: (data: Uint8Array) => void): Promise<void> {
    const now = this.#env.clock.now();
    const plain = (kind: MessageClass, attributes: Attribute[]) =>
      reply(encode({ class: kind, method: message.method, transactionId: message.transactionId, attributes }));
    if (message.method === METHOD.binding) return plain('success', [attribute('XOR-MAPPED-ADDRESS', from)]);
    const nonce = this.modern
      ? encodeNonce({ passwordAlgorithms: true, usernameAnonymity: true }, this.nonce)
      : this.nonce;
    const offered = [
      { algorithm: 2, parameters: new Uint8Array(0) },
      { algorithm: 1, parameters: new Uint8Array(0) },
    ];
    const challenge = (code: number) =>
      plain('error', [
        attribute('ERROR-CODE', { code, reason: code === 401 ? 'Unauthorized' : 'Stale Nonce' }),
        attribute('REALM', REALM),
        attribute('NONCE', nonce),
        ...(this.modern ? [attribute('PASSWORD-ALGORITHMS', offered)] : []),
      ]);
    const hash = this.modern ? 'SHA-256' : 'MD5';
    const loginKey = longTermKey(LOGIN.username, REALM, LOGIN.password, hash);
    const answer = (kind: MessageClass, attributes: Attribute[]): Uint8Array =>
      encode(
        { class: kind, method: message.method, transactionId: message.transactionId, attributes },
        this.open ? {} : this.modern ? { key: loginKey, sha256: true } : { key: loginKey, sha1: true },
      );
    const refuse = (code: number, more: Attribute[] = []) =>
      reply(answer('error', [attribute('ERROR-CODE', { code, reason: '' }), ...more]));
    const known = this.modern
      ? Buffer.from(get(message, 'USERHASH') ?? []).equals(Buffer.from(userHash(LOGIN.username, REALM)))
      : get(message, 'USERNAME') === LOGIN.username;
    if (!this.open) {
      if (checkIntegrity(message, loginKey) !== 'valid' || !known) return challenge(401);
      if (get(message, 'NONCE') !== nonce) return challenge(438);
    }
    const refused = this.refuse(message, from);
    if (refused) return refuse(refused.code, refused.more);
    const held = this.#held.get(key);
    const id = Buffer.from(message.transactionId).toString('hex');
    if (message.method === METHOD.allocate) {
      if (held) return held.allocateId === id ? reply(held.answer) : refuse(437);
      return this.#allocate(message, key, id, from, reply, answer);
    }
    if (!held) return refuse(437);
    const success = (...attributes: Attribute[]) => reply(answer('success', attributes));
    switch (message.method) {
      case METHOD.refresh: {
        const wanted = get(message, 'LIFETIME');
        if (wanted === 0) this.#free(key);
        else held.expiresAt = now + this.lifetimeS * 1000;
        return success(attribute('LIFETIME', wanted === 0 ? 0 : this.lifetimeS));
      }
      case METHOD.createPermission:
        for (const { address } of getAll(message, 'XOR-PEER-ADDRESS')) held.permissions.set(address, now + 300_000);
        return success();
      case METHOD.channelBind: {
        const [number, peer] = [get(message, 'CHANNEL-NUMBER') ?? 0, get(message, 'XOR-PEER-ADDRESS')];
        const other = held.channels.get(number);
        if (!peer || (other && formatEndpoint(other.peer) !== formatEndpoint(peer))) return refuse(400);
        held.channels.set(number, { peer, until: now + 600_000 });
        held.permissions.set(peer.address, now + 300_000);
        return success();
      }
      default:
        return refuse(400);
    }
  }

  async #allocate(
    message: Decoded,
    key: string,
    allocateId: string,
    mapped: Endpoint,
    reply: (data: Uint8Array) => void,
    answer: (kind: MessageClass, attributes: Attribute[]) => Uint8Array,
  ): Promise<void> {
    if (get(message, 'REQUESTED-TRANSPORT') !== 17)
      return reply(answer('error', [attribute('ERROR-CODE', { code: 400, reason: '' })]));
    const socket = await this.#env.udp.open({ family: familyOf(this.#address), address: this.#address });
    const relayed = this.relayedAs?.(socket.local) ?? socket.local;
    const bytes = answer('success', [
      attribute('XOR-RELAYED-ADDRESS', relayed),
      attribute('LIFETIME', this.lifetimeS),
      attribute('XOR-MAPPED-ADDRESS', mapped),
      attribute('SOFTWARE', 'scripted'),
    ]);
    const held: Held = {
      user: LOGIN.username,
      reply,
      relays: [socket],
      permissions: new Map(),
      channels: new Map(),
      expiresAt: this.#env.clock.now() + this.lifetimeS * 1000,
      allocateId,
      answer: bytes,
    };
    socket.listen({ datagram: ({ data, from }) => this.#fromPeer(held, from, data, key) });
    this.#held.set(key, held);
    reply(bytes);
  }

  #toPeer(held: Held, peer: Endpoint, data: Uint8Array): void {
    if (this.drop.toPeer || (held.permissions.get(peer.address) ?? 0) <= this.#env.clock.now()) return;
    void held.relays[0]?.send(data, peer).catch(() => {});
  }

  #fromPeer(held: Held, peer: Endpoint, data: Uint8Array, key: string): void {
    const now = this.#env.clock.now();
    if (this.drop.fromPeer || (held.permissions.get(peer.address) ?? 0) <= now || held.expiresAt <= now) return;
    const channel = [...held.channels].find(
      ([, { peer: bound, until }]) => until > now && formatEndpoint(bound) === formatEndpoint(peer),
    );
    held.reply(
      channel
        ? encodeChannelData(channel[0], data, key.startsWith('tcp'))
        : encode({
            class: 'indication',
            method: METHOD.data,
            transactionId: this.#env.random.bytes(12),
            attributes: [attribute('XOR-PEER-ADDRESS', peer), attribute('DATA', data)],
          }),
    );
  }
}
