/** How two terminals that have a code find each other, and who of the two offers: by a rendezvous or brokers, all that is said sealed. */
import { Opener, Sealer } from '../../connect/channel/envelope.ts';
import { deriveSecret, type Secret } from '../../connect/channel/keys.ts';
import { type BrokerName, topicOf } from '../../connect/signalling/broker-name.ts';
import { MqttSignalling } from '../../connect/signalling/mqtt.ts';
import { RendezvousSignalling } from '../../connect/signalling/rendezvous.ts';
import { isFinal, type PeerNews, type Signalling, type SignallingStatus } from '../../connect/signalling/signalling.ts';
import { type Endpoint, familyOf } from '../../net/address.ts';
import { type Env, NetError, type UdpSocket } from '../../net/env.ts';
import { Gate } from '../../net/wait.ts';
import { MEMBER_BYTES } from '../../rendezvous/protocol.ts';
import { tryDecode } from '../../stun/message.ts';
import { watchRefusal } from '../../stun/refusal.ts';
import { briefOf, sdpOf } from './brief.ts';

export interface IntroductionOptions {
  readonly code: string;
  /** A `nat-tool serve`; without one the brokers carry it. */
  readonly server: Endpoint | undefined;
  readonly brokers: readonly BrokerName[];
  readonly trusted?: string | undefined;
  readonly source: string | undefined;
}

/** Before there is a description, that somebody is there. */
const HERE = new Uint8Array();

export class Introduction {
  readonly #gate: Gate;
  readonly #secret: Secret;
  readonly #member: Uint8Array;
  readonly #sealer: Sealer;
  readonly #signalling: Signalling;
  readonly #socket: UdpSocket | undefined;
  #opener: Opener | undefined;
  #peer: Uint8Array | undefined;
  #sdp: string | undefined;
  /** Final, where it is no hope. */
  trouble: SignallingStatus | NetError | undefined;
  /** Hears of each description of the other side's, later ones with more candidates. */
  onDescription: (sdp: string) => void = () => {};

  private constructor(env: Env, options: IntroductionOptions, socket: UdpSocket | undefined) {
    // Another meeting than that of `connect` with the same code.
    this.#secret = deriveSecret(`webrtc ${options.code}`);
    this.#gate = new Gate(env.clock);
    this.#member = env.random.bytes(MEMBER_BYTES);
    this.#sealer = new Sealer(this.#secret.descriptionKey(this.#member));
    this.#socket = socket;
    this.#signalling =
      socket && options.server
        ? this.#atRendezvous(env, options.server, options.source, socket)
        : this.#atBrokers(env, options);
    this.#signalling.subscribe({
      peer: (news) => this.#heard(news),
      status: (status) => {
        if (isFinal(status)) this.trouble = status;
        this.#gate.notify();
      },
      unsendable: (error) => {
        this.trouble = error;
        this.#gate.notify();
      },
    });
    this.#signalling.publish(this.#sealer.seal(0, HERE), false);
  }

  /** Rejects with NetError where there is no socket. */
  static async begin(env: Env, options: IntroductionOptions, signal: AbortSignal): Promise<Introduction> {
    const { server, source } = options;
    const socket = server && (await env.udp.open({ family: familyOf(server.address), address: source }, signal));
    return new Introduction(env, options, socket);
  }

  #atRendezvous(env: Env, server: Endpoint, source: string | undefined, socket: UdpSocket): Signalling {
    let heard = false;
    const signalling = new RendezvousSignalling({
      send: (data, to, failed) =>
        void socket.send(data, to).catch((error: unknown) => {
          if (!(error instanceof NetError)) throw error;
          failed?.(error);
        }),
      server,
      room: this.#secret.room(),
      member: this.#member,
      clock: env.clock,
      random: env.random,
      proven: false,
      observed: () => {},
      relay: () => {},
      watchRefusal: (refused) => watchRefusal(env, server, source, refused),
      blocked: () => {},
      udpPasses: () => heard,
    });
    socket.listen({
      datagram: (datagram) => {
        const message = tryDecode(datagram.data);
        if (message && signalling.accept(datagram, message)) heard = true;
      },
    });
    return signalling;
  }

  #atBrokers(env: Env, { brokers, trusted }: IntroductionOptions): Signalling {
    return new MqttSignalling({
      env,
      brokers,
      trusted,
      topic: topicOf(this.#secret.topic()),
      key: this.#secret.meetingKey(),
      member: this.#member,
      note: () => {},
    });
  }

  #heard({ member, payload }: PeerNews): void {
    if (!this.#peer || Buffer.compare(this.#peer, member) !== 0)
      this.#opener = new Opener(this.#secret.descriptionKey(member));
    const opened = this.#opener?.open(payload);
    if (!opened) return;
    this.#peer = member;
    const sdp = opened.body.length > 0 ? sdpOf(opened.body) : undefined;
    if (sdp !== undefined) {
      this.#sdp = sdp;
      this.onDescription(sdp);
    }
    this.#gate.notify();
  }

  /** Who offers; undefined where nobody comes in time, or the place is no good. Rejects with the signal's reason. */
  async met(ms: number, signal: AbortSignal): Promise<'offerer' | 'answerer' | undefined> {
    await this.#gate.wait(() => this.#peer !== undefined || this.trouble !== undefined, ms, signal);
    if (!this.#peer) return undefined;
    return Buffer.compare(this.#member, this.#peer) < 0 ? 'offerer' : 'answerer';
  }

  /** The other side's description; undefined where it does not come in time. */
  async described(ms: number, signal: AbortSignal): Promise<string | undefined> {
    await this.#gate.wait(() => this.#sdp !== undefined || this.trouble !== undefined, ms, signal);
    return this.#sdp;
  }

  /** Ours, as it stands now. */
  tell(sdp: string): void {
    this.#signalling.publish(this.#sealer.seal(0, briefOf(sdp)), false);
  }

  close(): void {
    this.#signalling.close();
    this.#socket?.close();
  }
}
