/** NAT-PMP (RFC 6886) at one router, as its client. */
import type { Schedule } from '../net/schedule.ts';
import { scopeOf } from '../net/address.ts';
import type { ControlChannel } from './control-channel.ts';
import { type EpochSighting, hasRestarted } from './epoch.ts';
import {
  decodeNatPmpResponse,
  encodeNatPmpRequest,
  NAT_PMP_RESULTS,
  type NatPmpMapping,
  type NatPmpResponse,
} from './nat-pmp.ts';
import { decodePcpResponse, PCP_RESULTS } from './pcp.ts';
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
import { natPmpRefusal, type Refusal } from './refusal.ts';

const SILENT: Refusal = { kind: 'silent', protocol: 'nat-pmp' };

export class NatPmpClient implements PortControl {
  readonly protocol = 'nat-pmp';
  readonly #channel: ControlChannel;
  #seen: EpochSighting | undefined;
  #address: string | undefined;

  constructor(channel: ControlChannel) {
    this.#channel = channel;
  }

  async probe(signal?: AbortSignal): Promise<Probe> {
    const answer = await this.#ask(undefined, probeSchedule, signal);
    if (!answer) return NO_ANSWER;
    if (answer.result !== NAT_PMP_RESULTS.SUCCESS)
      return { answer: 'refused', refusal: natPmpRefusal(answer.result), oddities: [] };
    return { answer: 'yes', external: this.#address, oddities: [] };
  }

  async map(wish: Wish, signal?: AbortSignal): Promise<Grant | Refusal> {
    const { transport, internalPort, externalPort, lifetimeS } = wish;
    const answer = await this.#ask({ transport, internalPort, externalPort, lifetimeS }, heldSchedule, signal);
    if (!answer) return SILENT;
    const { result, map } = answer;
    if (result !== NAT_PMP_RESULTS.SUCCESS) return natPmpRefusal(result);
    if (!map || map.externalPort === 0 || map.lifetimeS === 0) return { kind: 'faulty', protocol: 'nat-pmp' };
    if (this.#address === undefined) await this.#ask(undefined, heldSchedule, signal);
    return { external: { address: this.#address, port: map.externalPort }, lifetimeS: map.lifetimeS };
  }

  /** §3.4: lifetime and external port 0. */
  async unmap({ transport, internalPort }: Wish, signal?: AbortSignal): Promise<Refusal | undefined> {
    const nothing = { transport, internalPort, externalPort: 0, lifetimeS: 0 };
    const answer = await this.#ask(nothing, heldSchedule, signal);
    if (!answer) return SILENT;
    return answer.result === NAT_PMP_RESULTS.SUCCESS ? undefined : natPmpRefusal(answer.result);
  }

  /** A router with another address outside has lost its mappings as well. */
  async check(_wish: Wish, signal?: AbortSignal): Promise<Sign> {
    const [before, address] = [this.#seen, this.#address];
    const answer = await this.#ask(undefined, heldSchedule, signal);
    if (!answer) return 'silent';
    const restarted = before && this.#seen && hasRestarted(before, this.#seen);
    return restarted || (address !== undefined && address !== this.#address) ? 'restarted' : 'alive';
  }

  /** Without a mapping: asks for the address. */
  async #ask(
    map: NatPmpMapping | undefined,
    schedule: Schedule,
    signal: AbortSignal | undefined,
  ): Promise<NatPmpResponse | undefined> {
    const read = (bytes: Uint8Array, at: number): NatPmpResponse | 'other' | undefined => {
      // How a box that knows PCP alone answers (RFC 6887 Appendix A).
      if (decodePcpResponse(bytes)?.result === PCP_RESULTS.UNSUPP_VERSION) return 'other';
      const response = decodeNatPmpResponse(bytes);
      // Said in version 0, that is the answer to what PCP asked from this port.
      if (response?.result === NAT_PMP_RESULTS.UNSUPPORTED_VERSION) return undefined;
      if (response?.to !== (map?.transport ?? 'address')) return undefined;
      if (response.map && response.map.internalPort !== map?.internalPort) return undefined;
      // A late answer to an earlier request is none to a removal.
      if (map?.lifetimeS === 0 && response.map && response.map.lifetimeS !== 0) return undefined;
      this.#seen = { epoch: response.epoch, at };
      const { address } = response;
      if (address !== undefined) this.#address = scopeOf(address) === 'unspecified' ? undefined : address;
      return response;
    };
    const asked = await this.#channel.ask(encodeNatPmpRequest({ map }), read, schedule, signal);
    return asked.kind === 'answered' && asked.answer !== 'other' ? asked.answer : undefined;
  }
}
