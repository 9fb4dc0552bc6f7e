/** PCP (RFC 6887) at one router, as its client. */
import { familyOf, scopeOf } from '../net/address.ts';
import { sameBytes } from '../net/bytes.ts';
import type { Random } from '../net/env.ts';
import type { Schedule } from '../net/schedule.ts';
import type { ControlChannel } from './control-channel.ts';
import { type EpochSighting, hasRestarted } from './epoch.ts';
import {
  decodePcpResponse,
  encodePcpRequest,
  isNatPmpOnly,
  PCP_NONCE_BYTES,
  PCP_OPCODES,
  PCP_RESULTS,
  type PcpRequest,
  type PcpResponse,
} from './pcp.ts';
import {
  type Grant,
  heldSchedule,
  NO_ANSWER,
  type PortControl,
  type Probe,
  probeSchedule,
  type Sign,
  type Wish,
} from './protocol.ts';
import { pcpRefusal, type Refusal } from './refusal.ts';

/** Of each mapping, by its name: the same to renew and to remove it (§11.2). */
export type PcpNonces = Map<string, Uint8Array>;

/** The name of a mapping on this host. */
const nameOf = ({ transport, internalPort }: Wish): string => `${transport} ${internalPort}`;

/** Results of ANNOUNCE, which is not for everyone, by which a server shows that it is one. */
const IS_THERE: readonly number[] = [PCP_RESULTS.SUCCESS, PCP_RESULTS.UNSUPP_OPCODE, PCP_RESULTS.MALFORMED_REQUEST];

export class PcpClient implements PortControl {
  readonly protocol = 'pcp';
  readonly #channel: ControlChannel;
  readonly #random: Random;
  /** This host's address, which a server compares with where the request comes from. */
  readonly #client: string;
  readonly #nonces: PcpNonces;
  #seen: EpochSighting | undefined;

  constructor(channel: ControlChannel, client: string, nonces: PcpNonces, random: Random) {
    this.#channel = channel;
    this.#client = client;
    this.#nonces = nonces;
    this.#random = random;
  }

  async probe(signal?: AbortSignal): Promise<Probe> {
    const answer = await this.#announce(probeSchedule, signal);
    if (!answer || answer.result === PCP_RESULTS.UNSUPP_VERSION) return NO_ANSWER;
    if (IS_THERE.includes(answer.result)) return { answer: 'yes', oddities: [] };
    return { answer: 'refused', refusal: pcpRefusal(answer.result), oddities: [] };
  }

  async map(wish: Wish, signal?: AbortSignal): Promise<Grant | Refusal> {
    const answer = await this.#map(wish, wish.lifetimeS, signal);
    if (!answer) return { kind: 'silent', protocol: 'pcp' };
    const { result, map, lifetimeS } = answer;
    if (result !== PCP_RESULTS.SUCCESS) return pcpRefusal(result, map?.externalAddress);
    // A port 0 would be all ports, or none; a lifetime of 0 is no mapping.
    if (!map || map.externalPort === 0 || lifetimeS === 0) return { kind: 'faulty', protocol: 'pcp' };
    const known = scopeOf(map.externalAddress) !== 'unspecified';
    return { external: { address: known ? map.externalAddress : undefined, port: map.externalPort }, lifetimeS };
  }

  async unmap(wish: Wish, signal?: AbortSignal): Promise<Refusal | undefined> {
    const answer = await this.#map(wish, 0, signal);
    if (!answer) return { kind: 'silent', protocol: 'pcp' };
    if (answer.result !== PCP_RESULTS.SUCCESS) return pcpRefusal(answer.result);
    this.#nonces.delete(nameOf(wish));
    return undefined;
  }

  async check(_wish: Wish, signal?: AbortSignal): Promise<Sign> {
    const before = this.#seen;
    const answer = await this.#announce(heldSchedule, signal);
    if (!answer) return 'silent';
    return before && this.#seen && hasRestarted(before, this.#seen) ? 'restarted' : 'alive';
  }

  #announce(schedule: Schedule, signal: AbortSignal | undefined): Promise<PcpResponse | undefined> {
    const request = { opcode: PCP_OPCODES.announce, lifetimeS: 0, client: this.#client };
    return this.#ask(request, () => true, schedule, signal);
  }

  #map(wish: Wish, lifetimeS: number, signal: AbortSignal | undefined): Promise<PcpResponse | undefined> {
    const { transport, internalPort, externalPort, externalAddress } = wish;
    const nonce = this.#nonces.get(nameOf(wish)) ?? this.#random.bytes(PCP_NONCE_BYTES);
    this.#nonces.set(nameOf(wish), nonce);
    const none = familyOf(this.#client) === 4 ? '0.0.0.0' : '::';
    const map = { nonce, transport, internalPort, externalPort, externalAddress: externalAddress ?? none };
    // §15: to delete, nothing is suggested.
    const body = lifetimeS > 0 ? map : { ...map, externalPort: 0, externalAddress: none };
    const isOurs = ({ map: told, result, lifetimeS: given }: PcpResponse): boolean => {
      if (result !== PCP_RESULTS.SUCCESS && !told) return true;
      // A late answer to an earlier request is none to a removal.
      if (result === PCP_RESULTS.SUCCESS && lifetimeS === 0 && given !== 0) return false;
      return (
        told !== undefined &&
        sameBytes(told.nonce, nonce) &&
        told.internalPort === internalPort &&
        told.transport === transport
      );
    };
    const request = { opcode: PCP_OPCODES.map, lifetimeS, client: this.#client, map: body };
    return this.#ask(request, isOurs, heldSchedule, signal);
  }

  async #ask(
    request: PcpRequest,
    isOurs: (response: PcpResponse) => boolean,
    schedule: Schedule,
    signal: AbortSignal | undefined,
  ): Promise<PcpResponse | undefined> {
    const read = (bytes: Uint8Array, at: number): PcpResponse | 'other' | undefined => {
      if (isNatPmpOnly(bytes)) return 'other';
      const response = decodePcpResponse(bytes);
      if (response?.opcode !== request.opcode || !isOurs(response)) return undefined;
      this.#seen = { epoch: response.epoch, at };
      return response;
    };
    const asked = await this.#channel.ask(encodePcpRequest(request), read, schedule, signal);
    return asked.kind === 'answered' && asked.answer !== 'other' ? asked.answer : undefined;
  }
}
