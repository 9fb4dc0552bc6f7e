/** What a session believes of what its server says: the public sides that it names, ours and the peer's, and its other addresses. */
import { type Endpoint, formatEndpoint, scopeOf } from '../../net/address.ts';
import { reachedBeside, WELL_KNOWN } from '../../net/nat64.ts';
import { type Doubt, doubtInWords, doubtOf, plain } from '../../nat/evidence.ts';
import { isPlausibleOther } from '../../stun/binding.ts';

export class ServerTrust {
  readonly #server: Endpoint;
  readonly #note: (event: string, details: Readonly<Record<string, unknown>>) => void;
  readonly #noted = new Set<string>();

  /** `note`: for the timeline; each remote address is doubted aloud once for each reason. */
  constructor(server: Endpoint, note: (event: string, details: Readonly<Record<string, unknown>>) => void) {
    this.#server = server;
    this.#note = note;
  }

  /** The server is inside one's own network: what it sees holds there, and says nothing of the internet. */
  get inside(): boolean {
    return scopeOf(this.#server.address) !== 'public';
  }

  /** Our public side in plain form, as `remote`, the server or another address of it, names it; undefined for what cannot be true. */
  ours(seen: Endpoint, remote: Endpoint = this.#server): Endpoint | undefined {
    const mapped = plain(seen);
    return this.#unless(doubtOf({ remote, mapped }, { local: this.inside, nat64: [WELL_KNOWN] }), mapped, remote);
  }

  /** The same of the peer's, who may have asked the server in the other family. */
  peers(seen: Endpoint): Endpoint | undefined {
    const mapped = plain(seen);
    const doubt = doubtOf({ remote: this.#server, mapped }, { local: this.inside });
    if (doubt !== 'family') return this.#unless(doubt, mapped, this.#server);
    const fits = this.inside || scopeOf(mapped.address) === 'public';
    return this.#unless(fits ? undefined : 'not-public', mapped, this.#server);
  }

  /** It sees the peer there, and the peer says under seal that it is elsewhere. */
  contradicted(seen: Endpoint): void {
    this.#tell(this.#server, seen, 'contradicted', `the other host is not at ${seen.address}, as it says itself`);
  }

  #unless(doubt: Doubt | undefined, mapped: Endpoint, remote: Endpoint): Endpoint | undefined {
    if (!doubt) return mapped;
    this.#tell(remote, mapped, doubt, doubtInWords(doubt, mapped));
    return undefined;
  }

  #tell(remote: Endpoint, said: Endpoint, doubt: string, why: string): void {
    const key = `${remote.address} ${doubt}`;
    if (!this.#noted.has(key))
      this.#note('doubted', { server: formatEndpoint(remote), says: formatEndpoint(said), doubt, why });
    this.#noted.add(key);
  }

  /** Of its other endpoints, those that can be ones. */
  alternates(claimed: readonly Endpoint[]): Endpoint[] {
    return claimed
      .map((each) => reachedBeside(this.#server, each, [WELL_KNOWN]))
      .filter((each) => isPlausibleOther(this.#server, each));
  }
}
