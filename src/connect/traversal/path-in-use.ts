/** The path that was found, and what both sides call it. Each knows of evidence that the other lacks; each tells its word, and both come to the same. */
import { type Endpoint, sameEndpoint } from '../../net/address.ts';
import type { PairView } from '../../ice/agent.ts';
import { PATH_KINDS, type PathKind } from '../../nat/path.ts';
import { pairKey } from '../../ice/pair.ts';
import type { Path } from '../bearer.ts';
import type { Socket } from './sockets.ts';

/** As one byte; 0 is none. */
export const wordOf = (kind: PathKind | undefined): number => (kind === undefined ? 0 : PATH_KINDS.indexOf(kind) + 1);

export const kindIn = (word: number): PathKind | undefined => PATH_KINDS[word - 1];

/**
 * Whoever knows a plainer reason why the path works is right: a side guesses only as long as it does not know that it need not.
 * On one network are two only where each reaches the other at home.
 */
export function agreedKind(mine: PathKind, theirs: PathKind | undefined): PathKind {
  if (theirs === undefined || mine === theirs) return mine;
  const either = (kind: PathKind): boolean => mine === kind || theirs === kind;
  if (either('relay')) return 'relay';
  if (either('mapped')) return 'mapped';
  if (either('lan') || either('direct')) return 'direct';
  return 'predicted';
}

/** Ways by which the peer told its word that are remembered, the latest. */
const MOST_WAYS = 16;

/** The path of a session, and its name as evidence comes in on both sides. */
export class PathInUse {
  readonly #kindOf: (pair: PairView) => PathKind;
  #pair: PairView | undefined;
  #path: Path | undefined;
  /** What it looks like from here. */
  #mine: PathKind | undefined;
  /** What the peer says of each way by which it said something. The two may hold different ways for a while: each word is of its own. */
  readonly #words = new Map<string, { readonly socket: number; readonly kind: PathKind | undefined }>();
  /** By which the latest sealed packet came. */
  #way: { readonly socket: number; readonly from: Endpoint } | undefined;
  #used = false;

  /** `kindOf`: by all that this side knows when it is asked. */
  constructor(kindOf: (pair: PairView) => PathKind) {
    this.#kindOf = kindOf;
  }

  get current(): Path | undefined {
    return this.#path;
  }

  /** Whether a relay carries it. */
  get isRelayed(): boolean {
    return this.#mine === 'relay';
  }

  /** Whether the peer's data has come by it. */
  get isUsed(): boolean {
    return this.#used;
  }

  /** A sealed packet came in there: what it tells is of that way. */
  heard(socket: number, from: Endpoint): void {
    this.#way = { socket, from };
    if (this.#path && sameEndpoint(from, this.#path.remote)) this.#used = true;
  }

  /** Our name for it, for the peer. */
  get word(): number {
    return wordOf(this.#mine);
  }

  /** True where the peer has to be told our word anew: another one, or of another way. */
  take(pair: PairView, socket: Socket, rttMs: number | undefined): boolean {
    const [before, mine] = [this.#path, this.#mine];
    if (!this.#path || !sameEndpoint(this.#path.remote, pair.remote.endpoint)) this.#used = false;
    this.#pair = pair;
    this.#mine = this.#kindOf(pair);
    const { endpoint: remote } = pair.remote;
    this.#path = {
      kind: agreedKind(this.#mine, this.#theirs(socket, remote)),
      socket,
      remote,
      public: pair.local.endpoint,
      rttMs: rttMs ?? before?.rttMs,
    };
    return this.#mine !== mine || before?.socket.id !== socket.id || !sameEndpoint(before.remote, remote);
  }

  /** More is known: the filter may have turned out easy after the path was found. True where our word has changed. */
  rename(): boolean {
    const kind = this.#pair && this.#kindOf(this.#pair);
    if (kind === undefined || kind === this.#mine) return false;
    this.#mine = kind;
    this.#agree();
    return true;
  }

  /** The peer's word, in the packet that was heard last. */
  told(word: number): void {
    if (!this.#way) return;
    const { socket, from } = this.#way;
    const way = pairKey(socket, from);
    this.#words.delete(way);
    this.#words.set(way, { socket, kind: kindIn(word) });
    for (const oldest of this.#words.keys()) if (this.#words.size > MOST_WAYS) this.#words.delete(oldest);
    this.#agree();
  }

  /**
   * Between two symmetric NATs the peer's packets come from elsewhere than ours go to: then what came in on the same socket tells,
   * but for a relay or an opened port, which is one certain place.
   */
  #theirs(socket: Socket, remote: Endpoint): PathKind | undefined {
    const said = this.#words.get(pairKey(socket.id, remote));
    if (said) return said.kind;
    const near = [...this.#words.values()].findLast((each) => each.socket === socket.id)?.kind;
    return near === 'relay' || near === 'mapped' ? undefined : near;
  }

  #agree(): void {
    if (!this.#path || !this.#mine) return;
    const { socket, remote } = this.#path;
    this.#path = { ...this.#path, kind: agreedKind(this.#mine, this.#theirs(socket, remote)) };
  }
}
