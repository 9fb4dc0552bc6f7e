/** Two DTLS connections and the path between them, on virtual time. */
import { seededRandom } from '../../src/lab/random.ts';
import type { DtlsAction, DtlsEvent, DtlsOptions } from '../../src/dtls/api.ts';
import { type Identity, newIdentity } from '../../src/dtls/certificate.ts';
import { DtlsConnection } from '../../src/dtls/connection.ts';
import { World } from '../sctp/link.ts';

const DAY = new Date('2026-11-27T12:00:00Z');
/** Two that are always the same. */
export const ALICE = newIdentity(seededRandom(1, 'alice'), DAY);
export const BOB = newIdentity(seededRandom(2, 'bob'), DAY);

export interface Way {
  delayMs: number;
  /** 0–1. */
  loss: number;
  reorder: number;
  reorderMs: number;
  duplicate: number;
}

const PLAIN: Way = { delayMs: 20, loss: 0, reorder: 0, reorderMs: 0, duplicate: 0 };

export class End {
  readonly connection: DtlsConnection;
  readonly actions: DtlsAction[] = [];
  peer: End | undefined;
  /** What leaves; undefined: it is lost. */
  tamper: (datagram: Uint8Array) => Uint8Array | undefined = (datagram) => datagram;
  readonly #world: World;
  readonly #way: Way;
  readonly #random;
  #generation = 0;

  constructor(world: World, options: DtlsOptions, way: Way, seed: string) {
    this.#world = world;
    this.#way = way;
    this.#random = seededRandom(seed, 'way');
    this.connection = new DtlsConnection(options);
  }

  feed(event: DtlsEvent): void {
    this.#carry(this.connection.handle(event, this.#world.now));
  }

  get data(): string[] {
    return this.actions.flatMap((each) => (each.kind === 'data' ? [Buffer.from(each.data).toString()] : []));
  }

  get last(): DtlsAction | undefined {
    return this.actions.at(-1);
  }

  say(text: string): void {
    this.feed({ kind: 'send', data: Buffer.from(text) });
  }

  #carry(actions: readonly DtlsAction[]): void {
    for (const action of actions) {
      if (action.kind === 'transmit') this.#transmit(action.data);
      else this.actions.push(action);
    }
    const generation = ++this.#generation;
    const at = this.connection.wakeAt();
    if (at === undefined) return;
    this.#world.at(Math.max(at, this.#world.now), () => {
      if (generation === this.#generation) this.#carry(this.connection.wake(this.#world.now));
    });
  }

  #transmit(datagram: Uint8Array): void {
    const data = this.tamper(datagram);
    const { delayMs, loss, reorder, reorderMs, duplicate } = this.#way;
    if (!data || this.#random.chance(loss)) return;
    const arrive = (): void => {
      const late = this.#random.chance(reorder) ? this.#random.unit() * reorderMs : 0;
      this.#world.at(this.#world.now + delayMs + late, () => this.peer?.feed({ kind: 'datagram', data }));
    };
    arrive();
    if (this.#random.chance(duplicate)) arrive();
  }
}

export interface Pair {
  readonly world: World;
  readonly client: End;
  readonly server: End;
}

export function pair(
  seed: number | string,
  ways: { readonly up?: Partial<Way>; readonly down?: Partial<Way> } = {},
  options: { readonly client?: Partial<DtlsOptions>; readonly server?: Partial<DtlsOptions> } = {},
): Pair {
  const world = new World();
  const end = (role: 'client' | 'server', own: Identity, other: Identity, way: Partial<Way> = {}): End => {
    const random = seededRandom(`${seed}/${role}`, 'end');
    const base: DtlsOptions = { role, identity: own, expected: [other.fingerprint], random };
    return new End(world, { ...base, ...options[role] }, { ...PLAIN, ...way }, `${seed}/${role}`);
  };
  const client = end('client', ALICE, BOB, ways.up);
  const server = end('server', BOB, ALICE, ways.down);
  client.peer = server;
  server.peer = client;
  return { world, client, server };
}

export const start = ({ server, client }: Pair): void => {
  server.feed({ kind: 'start' });
  client.feed({ kind: 'start' });
};

export const isUp = ({ connection }: End): boolean => connection.state === 'connected';

/** Until both are connected; false where that takes more than `ms` of virtual time. */
export function connect(made: Pair, ms = 30_000): boolean {
  start(made);
  return made.world.run(() => isUp(made.client) && isUp(made.server), made.world.now + ms);
}
