/** The path that was found, and what both sides call it. Each knows of evidence that the other lacks; each tells its word, and both come to the same. */
import { type Endpoint, sameEndpoint } from '../../net/address.ts';
import type { PairView } from '../../ice/agent.ts';
import { PATH_KINDS, type PathKind } from '../../nat/path.ts';
import type { Path } from '../connection.ts';
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

/** The path of a session, and its name as evidence comes in on both sides. */
export class PathInUse {
  readonly #kindOf: (pair: PairView) => PathKind;
  #pair: PairView | undefined;
  #path: Path | undefined;
  /** What it looks like from here, and what the peer says. */
  #mine: PathKind | undefined;
  #theirs: PathKind | undefined;
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

  /** Data of the peer came from there. */
  heard(from: Endpoint): void {
    if (this.#path && sameEndpoint(from, this.#path.remote)) this.#used = true;
  }

  /** Our name for it, for the peer. */
  get word(): number {
    return wordOf(this.#mine);
  }

  /** True where our word for it has changed with that. */
  take(pair: PairView, socket: Socket, rttMs: number | undefined): boolean {
    const before = this.#mine;
    if (!this.#path || !sameEndpoint(this.#path.remote, pair.remote.endpoint)) this.#used = false;
    this.#pair = pair;
    this.#mine = this.#kindOf(pair);
    // What the peer said was of the path before.
    if (before === 'relay' && this.#mine !== 'relay' && this.#theirs === 'relay') this.#theirs = undefined;
    this.#path = {
      kind: agreedKind(this.#mine, this.#theirs),
      socket,
      remote: pair.remote.endpoint,
      public: pair.local.endpoint,
      rttMs: rttMs ?? this.#path?.rttMs,
    };
    return this.#mine !== before;
  }

  /** More is known: the filter may have turned out easy after the path was found. True where our word has changed. */
  rename(): boolean {
    const kind = this.#pair && this.#kindOf(this.#pair);
    if (kind === undefined || kind === this.#mine) return false;
    this.#mine = kind;
    this.#agree();
    return true;
  }

  /** The peer's word. */
  told(word: number): void {
    this.#theirs = kindIn(word);
    this.#agree();
  }

  #agree(): void {
    if (this.#path && this.#mine) this.#path = { ...this.#path, kind: agreedKind(this.#mine, this.#theirs) };
  }
}
