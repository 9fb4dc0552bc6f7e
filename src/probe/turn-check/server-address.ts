/** One address of a TURN server, from the first request to the release of what it gave. */
import { type Endpoint, familyOf, formatEndpoint, sameEndpoint } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import { toMicroseconds } from '../../net/round.ts';
import { plain } from '../../nat/evidence.ts';
import { defaultPort } from '../../stun/uri.ts';
import { endingWords, TurnError } from '../../turn/failure.ts';
import { relayAt } from '../../turn/open.ts';
import type { Relay } from '../../turn/relay.ts';
import type { RelaySocket } from '../../turn/relay-socket.ts';
import { restName } from '../../turn/rest-login.ts';
import type { TurnServerName } from '../../turn/uri.ts';
import { betweenRelays } from './between-relays.ts';
import { type NoRelay, causeOfFailure, causeOfTrouble } from './cause.ts';
import { converse, type End, endOf } from './conversation.ts';
import type { CheckEnv, TurnCheckOptions } from './options.ts';
import { errorIn, type TurnResult } from './result.ts';
import { answersOverStream, openSecondSocket, type SecondSocket, type SeenAs } from './second-socket.ts';
import { AllocationAnswers, Steps } from './steps.ts';

/** After so much silence it is asked by another way too, to tell a dead server from a closed port. */
const CONTROL_AFTER_MS = 500;
/** For such an answer, where ours came at once. */
const CONTROL_MS = 1_000;
/** What is on its way longer than this, or twice what the allocation took, is lost. */
const GRACE_MS = 600;

export class ServerAddress {
  relay: RelaySocket | undefined;
  /** Something was said in answer to the request for a relay. */
  wasHeard = false;
  readonly #env: CheckEnv;
  readonly #name: TurnServerName;
  readonly #server: Endpoint;
  readonly #options: TurnCheckOptions;
  readonly #steps: Steps;
  #result: TurnResult;
  #answers: AllocationAnswers | undefined;
  #second: SecondSocket | undefined;
  #sighting: SeenAs | undefined;
  #other: RelaySocket | undefined;

  constructor(env: CheckEnv, name: TurnServerName, server: Endpoint, options: TurnCheckOptions, blank: TurnResult) {
    this.#env = env;
    this.#name = name;
    this.#server = server;
    this.#options = options;
    this.#result = blank;
    this.#steps = new Steps(env.clock);
  }

  result(): TurnResult {
    return { ...this.#result, steps: this.#steps.list() };
  }

  /** To a relay, or to the cause why there is none, `timeoutMs` for each answer. Rejects with the signal's reason. */
  async allocate(timeoutMs: number, signal: AbortSignal): Promise<this> {
    const { source } = this.#options;
    const startedAt = this.#env.clock.now();
    let control: Promise<boolean> | undefined;
    const ask = (ms: number): Promise<boolean> => {
      const left = startedAt + timeoutMs - this.#env.clock.now();
      control ??= this.#answersOtherwise(Math.max(1, Math.min(ms, left)), signal);
      return control;
    };
    const cancel = this.#env.clock.after(CONTROL_AFTER_MS, () => {
      if (this.#steps.list().length === 0 && !signal.aborted) ask(timeoutMs).catch(() => {});
    });
    try {
      this.#second = await openSecondSocket(this.#env, this.#udpEndpoint, source, timeoutMs, signal);
      const begun = (relay: Relay): void => this.#begun(relay);
      const family = familyOf(this.#server.address);
      const settings = { ...this.#options, timeoutMs, relayFamily: family, begun };
      this.#allocated(await relayAt(this.#env, this.#server, this.#name.host, settings, signal));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof TurnError || error instanceof NetError)) throw error;
      const failure = error instanceof TurnError ? error : new TurnError({ why: 'broken', error }, this.#server, false);
      this.#failed(failure, await this.#controls(failure, () => ask(CONTROL_MS)));
    } finally {
      cancel();
    }
    return this;
  }

  /** What the relay is good for. Rejects with the signal's reason. */
  async prove(signal: AbortSignal): Promise<TurnResult> {
    const [relay, answers, second] = [this.relay, this.#answers, this.#second];
    if (!relay || !answers || !second) return this.result();
    const client: End = { ...endOf(relay), to: this.#sighting?.mapped };
    const peer: End = { ...second.end, to: relay.local };
    const permission = await this.#permission(relay, answers, signal);
    const graceMs = Math.max(GRACE_MS, 2 * this.#steps.atMs('allocate'));
    const where = { server: relay.relay.link.server, domain: this.#name.host };
    const seen = (from: Endpoint): void => relay.relay.feed({ kind: 'bind', to: from });
    const proven = (at: number): void => this.#steps.add('data', true, null, at);
    const joined = (at: number): void => this.#steps.add('relay', true, null, at);
    const [data, between] = await Promise.all([
      permission === 0
        ? converse(this.#env, client, peer, { count: this.#options.count, graceMs, seen, proven }, signal)
        : undefined,
      betweenRelays(this.#env, where, this.#options, { relay, here: answers, client, graceMs, proven: joined }, signal),
    ]);
    this.#other = between.other;
    // Silence of a peer that the server has never answered over UDP either says nothing of the relay.
    const untested = this.#sighting === undefined && this.#options.transport !== 'udp' && data?.received === 0;
    const tested = untested ? null : (data ?? null);
    // What has not been proven by now has failed.
    if (tested) this.#steps.add('data', false);
    if (between.data || between.code !== undefined) this.#steps.add('relay', false, between.code ?? null);
    const direct = this.#sighting && Math.min(this.#sighting.rttMs, ...(await second.again(signal)));
    this.#result = {
      ...this.#result,
      directRttMs: direct === undefined ? null : toMicroseconds(direct),
      data: { peer: tested, relay: between.data },
    };
    relay.relay.feed({ kind: 'refresh', timeoutMs: this.#options.timeoutMs });
    await answers.until(() => answers.refresh !== undefined, this.#options.timeoutMs, signal);
    const cause = causeOfTrouble({
      server: this.#server,
      relayed: relay.local,
      permissionCode: permission,
      peer: tested,
      relay: between.data,
      relayCode: between.code,
      ended: answers.ended,
      refreshCode: answers.refresh?.code,
    });
    const ending = answers.ended ? endingWords(await relay.relay.over) : null;
    this.#result = { ...this.#result, cause, detail: ending, software: relay.relay.software ?? null };
    if (cause === null && this.#options.meanwhile) {
      const held = { relay, answers, client, peer, result: this.result() };
      this.#result = { ...this.#result, ...(await this.#options.meanwhile(held, signal)) };
    }
    await Promise.all([relay.release(), this.#other?.release()]);
    return this.result();
  }

  /** Frees everything; what was allocated is released. */
  async end(): Promise<void> {
    this.#second?.close();
    await Promise.all([this.relay?.release(), this.#other?.release()]);
  }

  /** Where the second socket asks: a TLS port speaks no plain STUN. */
  get #udpEndpoint(): Endpoint {
    return this.#options.transport === 'tls' ? { ...this.#server, port: defaultPort('udp') } : this.#server;
  }

  /** Over UDP: whether it answers over TCP; over a stream: whether it is a STUN server at all. */
  #answersOtherwise(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const { transport, source, trusted } = this.#options;
    const tls = transport === 'tls' ? { serverName: this.#name.host, trusted } : undefined;
    return answersOverStream(this.#env, this.#server, tls, source, timeoutMs, signal);
  }

  async #controls(
    { heard, ending, server }: TurnError,
    ask: () => Promise<boolean>,
  ): Promise<Pick<NoRelay, 'answersTcp' | 'answersBinding'>> {
    // Nor do they say anything of another server, to which this one has sent us.
    if (heard || !sameEndpoint(server, this.#server)) return { answersTcp: false, answersBinding: false };
    // An error that came at once is not worth waiting for what cannot come.
    const sighted = ending.why === 'silent' && (await this.#second?.seen) !== undefined;
    const answers = await ask();
    const overUdp = this.#options.transport === 'udp';
    return { answersTcp: overUdp && answers, answersBinding: overUdp ? sighted : answers };
  }

  #begun(relay: Relay): void {
    this.#answers = new AllocationAnswers(this.#env.clock, relay, this.#steps);
    void this.#second?.seen.then((sighting) => {
      this.#sighting = sighting;
      // Where the second socket's public side is known in time, its channel is bound in one flight with the login.
      if (sighting) relay.feed({ kind: 'bind', to: sighting.mapped });
    });
  }

  /** The code for this host's own addresses, as the server sees them from either socket: 0 where one is permitted. */
  async #permission(relay: RelaySocket, answers: AllocationAnswers, signal: AbortSignal): Promise<number | undefined> {
    const mapped = relay.relay.allocated?.mapped;
    const seen = [this.#sighting?.mapped.address, mapped && plain(mapped).address];
    const ours = [...new Set(seen.filter((each) => each !== undefined))];
    relay.relay.feed({ kind: 'permit', addresses: ours });
    const told = () => ours.every((each) => answers.permission(each) !== 'pending');
    await answers.until(told, this.#options.timeoutMs, signal);
    const codes = ours.map((each) => answers.permission(each)).filter((code) => code !== 'pending');
    return codes.includes(0) ? 0 : codes[0];
  }

  #allocated(relay: RelaySocket): void {
    this.relay = relay;
    const { allocated, software } = relay.relay;
    this.#result = {
      ...this.#result,
      address: formatEndpoint(relay.relay.link.server),
      software: software ?? null,
      relayed: formatEndpoint(relay.local),
      mapped: allocated?.mapped ? formatEndpoint(plain(allocated.mapped)) : null,
      lifetimeS: allocated?.lifetimeS ?? null,
    };
  }

  #failed({ ending, heard, server, software }: TurnError, more: Pick<NoRelay, 'answersTcp' | 'answersBinding'>): void {
    const { credentials } = this.#options;
    const code = ending.why === 'refused' ? ending.code : ending.why === 'mismatch' ? 437 : null;
    const cause = causeOfFailure({
      ending,
      heard,
      ...more,
      hasLogin: credentials !== undefined,
      expiry: credentials && restName(credentials.username)?.expiresAt,
      nowS: this.#env.clock.date().getTime() / 1000,
    });
    this.wasHeard = heard;
    this.#steps.add('reach', heard);
    const redirected = !sameEndpoint(server, this.#server);
    if (heard && cause.startsWith('login')) this.#steps.add('login', false, code);
    else if (heard || redirected) this.#steps.add('allocate', false, code);
    const detail = endingWords(ending) + (redirected ? `; ${formatEndpoint(this.#server)} sends us there` : '');
    const error = ending.why === 'broken' ? errorIn(ending.error) : null;
    this.#result = {
      ...this.#result,
      address: formatEndpoint(server),
      software: software ?? null,
      relayed: ending.why === 'useless' && ending.given ? formatEndpoint(ending.given) : null,
      cause,
      error,
      detail,
    };
  }
}
