/** What the two sides tell each other before there is a path: descriptions and candidates (RFC 8829), and who is the client of DTLS. */
import type { Fingerprint } from '../dtls/certificate.ts';
import type { IceEvent } from '../ice/agent.ts';
import type { Candidate } from '../ice/candidate.ts';
import { type IceCredentials, newCredentials } from '../ice/credentials.ts';
import { parseCandidate, SdpError } from '../ice/sdp.ts';
import { formatEndpoint } from '../net/address.ts';
import type { Random } from '../net/env.ts';
import type { PeerOptions } from './peer-api.ts';
import { formatDescription, type ParsedDescription, parseDescription, type Setup } from './sdp.ts';

const SCTP_PORT = 5000;
/** Bytes of a message that we take: half of what waits for want of others. */
const MOST_MESSAGE = 1 << 18;
/** Candidates of the peer that are taken, and reasons that are kept for those that are not. */
const MOST_REMOTE = 64;

export interface NegotiationOptions extends Pick<PeerOptions, 'role' | 'setup' | 'relayOnly' | 'onCandidate'> {
  readonly random: Random;
  /** Of our certificate. */
  readonly fingerprint: Fingerprint;
  readonly feed: (event: IceEvent) => void;
  readonly note: (event: string, details: Readonly<Record<string, unknown>>) => void;
}

export class Negotiation {
  readonly credentials: IceCredentials;
  readonly local: Candidate[] = [];
  readonly remote: Candidate[] = [];
  readonly ignored: SdpError[] = [];
  readonly #options: NegotiationOptions;
  readonly #session: number;
  #peer: ParsedDescription | undefined;

  constructor(options: NegotiationOptions) {
    this.#options = options;
    this.credentials = newCredentials(options.random);
    this.#session = options.random.below(2 ** 31);
  }

  /** What the peer has told of itself. */
  get peer(): ParsedDescription | undefined {
    return this.#peer;
  }

  /** RFC 8842 §5: the client is whoever is active. */
  get isClient(): boolean {
    return this.#options.role === 'offerer' ? this.#peer?.setup === 'passive' : this.#setup === 'active';
  }

  get #setup(): Setup {
    if (this.#options.role === 'offerer') return 'actpass';
    return this.#options.setup ?? 'active';
  }

  /** Ours, with all candidates so far. */
  description(): string {
    const { ufrag, pwd } = this.credentials;
    const description = {
      ice: { ufrag, pwd, candidates: this.local, end: false },
      fingerprints: [this.#options.fingerprint],
      setup: this.#setup,
      mid: this.#peer?.mid ?? '0',
      port: SCTP_PORT,
      maxMessage: MOST_MESSAGE,
    };
    return formatDescription(description, this.#session);
  }

  /** The peer's description, which may be met once. Throws {@link SdpError}, IceInputError. */
  meet(sdp: string): ParsedDescription {
    const peer = parseDescription(sdp);
    const isOffer = peer.setup === 'actpass';
    if (isOffer === (this.#options.role === 'offerer'))
      throw new SdpError(
        'setup',
        isOffer ? 'an offer, where the answer was expected' : 'an answer, where the offer was expected',
      );
    const { ufrag, pwd, ignored } = peer.ice;
    if (ufrag === this.credentials.ufrag) throw new SdpError('own', 'this is our own description');
    this.#options.feed({ kind: 'remote-credentials', ufrag, pwd });
    this.#peer = peer;
    for (const each of ignored) this.#ignore(each);
    return peer;
  }

  /** The candidates that came with a description. */
  check({ ice: { candidates, end } }: ParsedDescription): void {
    for (const candidate of candidates) this.#met(candidate);
    if (end) this.#options.feed({ kind: 'remote-end' });
  }

  /** One that came later: its line, or an empty one where no more will come. Throws {@link SdpError} for what breaks the format. */
  addCandidate(line: string): void {
    if (line.trim() === '') return this.#options.feed({ kind: 'remote-end' });
    try {
      this.#met(parseCandidate(line));
    } catch (error) {
      if (!(error instanceof SdpError) || error.kind === 'malformed') throw error;
      this.#ignore(error);
    }
  }

  /** One of ours. */
  found(socket: number, candidate: Candidate): void {
    const { relayOnly, onCandidate, feed } = this.#options;
    if (relayOnly && candidate.type !== 'relay') return;
    this.local.push(candidate);
    this.#note('local', candidate);
    feed({ kind: 'local-candidate', socket, candidate });
    onCandidate?.(candidate);
  }

  #met(candidate: Candidate): void {
    if (this.remote.length >= MOST_REMOTE) return;
    this.remote.push(candidate);
    this.#note('remote', candidate);
    this.#options.feed({ kind: 'remote-candidate', candidate });
  }

  #ignore(error: SdpError): void {
    if (this.ignored.length < MOST_REMOTE) this.ignored.push(error);
  }

  #note(side: 'local' | 'remote', { type, endpoint }: Candidate): void {
    this.#options.note('candidate', { side, type, address: formatEndpoint(endpoint) });
  }
}
