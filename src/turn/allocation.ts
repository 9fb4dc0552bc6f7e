/**
 * An allocation on a TURN server (RFC 8656), the client's side, as a machine: login, refresh, permissions and channels, and its end. It knows one
 * way to one server; another local port (437) or another server (300) is a new allocation, which its owner makes.
 *
 * The first request goes bare; the second one, and the permissions that are wanted from the beginning, leave in one flight behind the challenge,
 * so that data can go after two round trips.
 */
import { type Endpoint, familyOf, isAnyAddress } from '../net/address.ts';
import type { Machine } from '../net/machine.ts';
import { briskSchedule, type Schedule, singleSend } from '../net/schedule.ts';
import { MOST_CHALLENGES } from '../stun/authentication.ts';
import { encodeBinding } from '../stun/binding.ts';
import { type Decoded, get, getAll, mappedAddress, tryDecode, unknownRequired } from '../stun/message.ts';
import type { AllocationAction, AllocationEvent, AllocationOptions, AllocationEnd } from './allocation-api.ts';
import { looksLikeChannelData } from './channel-data.ts';
import { Grant } from './grant.ts';
import { TurnLogin } from './login.ts';
import { inWords, type TurnQuestion } from './requests.ts';
import { Traffic } from './traffic.ts';
import { Transactions } from './transactions.ts';

/** The longest that a request of a running allocation waits: Ti of RFC 8489 §6.2.2. */
const REQUEST_MS = 39_500;
/** A delete is repeated for so long, ms: somebody waits for our end. */
const RELEASE_MS = 1_000;
/** RFC 8445 §11: no rarer than this goes something through the NAT in front of us. */
const KEEPALIVE_MS = 15_000;

interface Asked extends TurnQuestion {
  readonly schedule: Schedule;
  readonly sentAt: number;
  readonly challenges: number;
  /** Sent before there was an allocation. */
  readonly early: boolean;
}

const about = (request: TurnQuestion['request']): TurnQuestion => ({ request, permissions: [], peer: undefined });

export class Allocation implements Machine<AllocationEvent, AllocationAction> {
  readonly #options: AllocationOptions;
  readonly #login: TurnLogin;
  readonly #transactions: Transactions<Asked>;
  readonly #traffic: Traffic;
  readonly #wishes: { readonly peers: Endpoint[]; readonly permitted: string[] };
  #state: 'idle' | 'allocating' | 'ready' | 'releasing' | 'over' = 'idle';
  #software: string | undefined;
  #heard = false;
  /** Something came that is no answer. */
  #other = false;
  readonly #grant = new Grant();
  #transmittedAt = 0;
  /** What it comes to once it is released. */
  #useless: AllocationEnd | undefined;
  #out: AllocationAction[] = [];

  /** Throws CredentialError. */
  constructor(options: AllocationOptions) {
    this.#options = options;
    this.#login = new TurnLogin(options.credentials);
    this.#wishes = { peers: [...(options.peers ?? [])], permitted: [...(options.permitted ?? [])] };
    this.#transactions = new Transactions(options.random);
    const outlet = {
      ask: (question: TurnQuestion, now: number) => this.#ask(question, this.#schedule(REQUEST_MS), now),
      transmit: (data: Uint8Array, now: number) => this.#transmit(data, now),
      deliver: (data: Uint8Array, from: Endpoint) => void this.#out.push({ kind: 'data', data, from }),
    };
    this.#traffic = new Traffic(outlet, options.random, options.reliable);
  }

  /** SOFTWARE of the server, as far as it has told. */
  get software(): string | undefined {
    return this.#software;
  }

  /** Whether the server has said anything that is STUN. */
  get heard(): boolean {
    return this.#heard;
  }

  /** Why nothing can be sent there, where that is known: the code of the refusal, or 443 for a family that the relay does not have. */
  refusal(to: Endpoint, now: number): number | undefined {
    return this.#traffic.refusal(to, now);
  }

  handle(event: AllocationEvent, now: number): AllocationAction[] {
    if (this.#state === 'over') return [];
    switch (event.kind) {
      case 'start':
        if (this.#state !== 'idle') break;
        this.#state = 'allocating';
        this.#ask(about('allocate'), this.#schedule(this.#options.timeoutMs), now);
        break;
      case 'received':
        if (looksLikeChannelData(event.data)) this.#traffic.channelData(event.data, now);
        else this.#receive(event.data, now);
        break;
      case 'send':
        if (this.#state === 'ready') this.#traffic.send(event.data, event.to, now);
        break;
      case 'permit':
        this.#want([], event.addresses, now, event.anew);
        break;
      case 'bind':
        this.#want([event.to], [], now);
        break;
      case 'refresh':
        if (this.#state === 'ready') this.#refresh(event.timeoutMs, now);
        break;
      case 'release':
        this.#release(now);
        break;
      case 'broken':
        this.#end({ why: 'broken', error: event.error });
        break;
    }
    return this.#taken();
  }

  wakeAt(): number | undefined {
    if (this.#state === 'idle' || this.#state === 'over') return undefined;
    const running = [this.#grant.wakeAt(), this.#traffic.wakeAt(), this.#transmittedAt + this.#keepaliveMs];
    const all = [this.#transactions.wakeAt(), ...(this.#state === 'ready' ? running : [])];
    const known = all.filter((at) => at !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  wake(now: number): AllocationAction[] {
    if (this.#state === 'over') return [];
    const { again, silent } = this.#transactions.wake(now);
    for (const bytes of again) this.#transmit(bytes, now);
    for (const { asked, code } of silent) this.#silent(asked, code, now);
    if (this.#state === 'ready') this.#keep(now);
    return this.#taken();
  }

  #keep(now: number): void {
    if (this.#grant.isOver(now)) return this.#end({ why: 'lost', code: undefined });
    if (this.#grant.isDue(now)) this.#refresh(REQUEST_MS, now);
    this.#traffic.wake(now);
    if (now - this.#transmittedAt >= this.#keepaliveMs)
      this.#transmit(encodeBinding('indication', this.#options.random.bytes(12)), now);
  }

  /* ---- coming and going ---- */

  /** What is wanted before there is an allocation leaves in one flight with the Allocate that carries the login, or at once behind it. */
  #want(peers: readonly Endpoint[], permitted: readonly string[], now: number, anew = false): void {
    if (this.#state === 'allocating') {
      this.#wishes.peers.push(...peers);
      this.#wishes.permitted.push(...permitted);
    }
    if (this.#state !== 'ready' && !(this.#state === 'allocating' && this.#login.isSealed)) return;
    for (const peer of peers) this.#traffic.channel(peer, now);
    this.#traffic.permit(permitted, now, anew);
  }

  /** All of it: what was lost or came too early the first time is asked for again. */
  #wish(now: number): void {
    const { peers, permitted } = this.#wishes;
    for (const peer of peers) this.#traffic.channel(peer, now);
    this.#traffic.permit(permitted, now);
  }

  #allocated(message: Decoded, asked: Asked, now: number): void {
    const { family = 4 } = this.#options;
    const given = getAll(message, 'XOR-RELAYED-ADDRESS');
    const relayed = given.filter(
      ({ address, port }, i, all) =>
        port !== 0 &&
        !isAnyAddress(address) &&
        (family === 'both' || familyOf(address) === family) &&
        all.findIndex((other) => familyOf(other.address) === familyOf(address)) === i,
    );
    this.#state = 'ready';
    const lifetimeS = this.#grant.renew(get(message, 'LIFETIME'), asked.sentAt, now);
    if (relayed.length === 0) {
      this.#useless = { why: 'useless', given: given[0] };
      return this.#release(now);
    }
    this.#traffic.families = relayed.map(({ address }) => familyOf(address));
    this.#out.push({ kind: 'ready', relayed, mapped: mappedAddress(message), lifetimeS });
    this.#wish(now);
  }

  #refresh(timeoutMs: number, now: number): void {
    this.#grant.asked();
    this.#ask(about('refresh'), this.#schedule(timeoutMs), now);
  }

  #release(now: number): void {
    if (this.#state === 'releasing') return;
    // Whoever has not shown a login holds nothing, unless none is wanted.
    const holds = this.#state === 'ready' || (this.#state === 'allocating' && this.#login.isSealed);
    if (!holds) return this.#end({ why: 'released' });
    this.#state = 'releasing';
    this.#transactions.clear();
    this.#ask(about('release'), this.#schedule(RELEASE_MS), now);
  }

  #end(ending: AllocationEnd): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#transactions.clear();
    this.#out.push({ kind: 'over', ending: (ending.why === 'released' && this.#useless) || ending });
  }

  /* ---- requests ---- */

  /** A stream repeats what is lost by itself. */
  #schedule(timeoutMs: number): Schedule {
    return this.#options.reliable ? singleSend(timeoutMs) : briskSchedule(timeoutMs);
  }

  get #keepaliveMs(): number {
    return this.#options.keepaliveMs ?? KEEPALIVE_MS;
  }

  #ask(question: TurnQuestion, schedule: Schedule, now: number, challenges = 0): void {
    const early = this.#state === 'allocating';
    const asked: Asked = { ...question, schedule, sentAt: now, challenges, early };
    const [method, attributes] = inWords(asked, this.#options.family);
    this.#transmit(this.#transactions.begin(asked, method, attributes, this.#login.sealing, schedule, now), now);
  }

  /* ---- answers ---- */

  #receive(data: Uint8Array, now: number): void {
    const message = tryDecode(data);
    if (!message || message.class === 'request') {
      this.#other = true;
      return;
    }
    this.#heard = true;
    if (message.class === 'indication') return this.#traffic.indication(message, now);
    const asked = this.#transactions.take(message);
    if (!asked) return;
    this.#software ??= get(message, 'SOFTWARE') || undefined;
    if (unknownRequired(message).length > 0) return this.#failed(asked, 420, 'unknown attributes in the answer', now);
    if (message.class === 'success') return this.#succeeded(asked, message, now);
    const { code, reason } = get(message, 'ERROR-CODE') ?? { code: 400, reason: '' };
    if ((code === 438 || code === 401) && this.#challenged(asked, code, message, now)) return;
    if (code === 300 && asked.request === 'allocate') this.#redirected(message, reason);
    else this.#failed(asked, code, reason, now);
  }

  /** Whether it was answered. A 401 to a login that was accepted before comes from servers that mean 438. */
  #challenged(asked: Asked, code: 401 | 438, message: Decoded, now: number): boolean {
    const first = code === 401 && asked.request === 'allocate' && !this.#login.isSealed;
    const later = code === 438 || (this.#state !== 'allocating' && asked.challenges === 0);
    if ((!first && !later) || asked.challenges >= MOST_CHALLENGES || !this.#login.renew(message)) return false;
    if (first) this.#out.push({ kind: 'challenged', realm: get(message, 'REALM') ?? '' });
    this.#ask(asked, asked.schedule, now, asked.challenges + 1);
    if (first) this.#wish(now);
    return true;
  }

  #redirected(message: Decoded, reason: string): void {
    const to = get(message, 'ALTERNATE-SERVER');
    const sealed = this.#login.isSealed;
    this.#end(
      to
        ? { why: 'redirected', to, domain: get(message, 'ALTERNATE-DOMAIN'), sealed }
        : { why: 'refused', code: 300, reason, bare: !sealed },
    );
  }

  #succeeded(asked: Asked, message: Decoded, now: number): void {
    if (asked.request === 'allocate') return this.#allocated(message, asked, now);
    this.#answered(asked, 0, '');
    if (asked.request === 'release') return this.#end({ why: 'released' });
    if (asked.request !== 'refresh') return this.#traffic.granted(asked, now);
    if (this.#grant.renew(get(message, 'LIFETIME'), asked.sentAt, now) === 0)
      this.#end({ why: 'lost', code: undefined });
  }

  #failed(asked: Asked, code: number, reason: string, now: number): void {
    const { request } = asked;
    const bare = !this.#login.isSealed;
    if (request === 'allocate')
      return this.#end(code === 437 ? { why: 'mismatch', code } : { why: 'refused', code, reason, bare });
    if (asked.early) {
      // It overtook the Allocate, on the way or in the server (coturn says 400 or 437 then): its refusal says nothing yet.
      this.#traffic.unanswered(asked, now);
      if (this.#state === 'ready') this.#wish(now);
      return;
    }
    this.#answered(asked, code, reason);
    if (request === 'release') return this.#end({ why: 'released' });
    // It is gone, with all that hung on it.
    if (code === 437) return this.#end({ why: 'lost', code });
    if (request === 'refresh') this.#grant.again(now);
    else this.#traffic.refused(asked, code, now);
  }

  #silent(asked: Asked, code: number | undefined, now: number): void {
    if (asked.request === 'allocate') return this.#end({ why: 'silent', code, other: this.#other });
    this.#answered(asked, code, '');
    if (asked.request === 'release') this.#end({ why: 'released' });
    else if (asked.request === 'refresh') this.#grant.again(now);
    else this.#traffic.unanswered(asked, now);
  }

  #answered({ request, permissions, peer }: Asked, code: number | undefined, reason: string): void {
    const addresses = permissions.map(({ address }) => address);
    this.#out.push({ kind: 'answered', request, addresses, peer: peer?.endpoint, code, reason });
  }

  #transmit(data: Uint8Array, now: number): void {
    this.#transmittedAt = now;
    this.#out.push({ kind: 'transmit', data });
  }

  #taken(): AllocationAction[] {
    return this.#out.splice(0);
  }
}
