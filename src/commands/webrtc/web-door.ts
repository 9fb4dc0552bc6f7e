/** The page elsewhere: it stands at a `nat-tool serve --web`, which passes on what the two tell each other, sealed. */
import { generateCode } from '../../connect/code.ts';
import { SdpError } from '../../ice/sdp.ts';
import type { Endpoint } from '../../net/address.ts';
import { NetError } from '../../net/env.ts';
import type { Env } from '../../net/env.ts';
import { hostOf, httpExchange, portOf } from '../../net/http/request.ts';
import { HttpFormatError } from '../../net/http/response.ts';
import { sleep } from '../../net/wait.ts';
import { randomId } from './random-id.ts';
import type { Reception } from './reception.ts';
import { openWords, sealWords, type WebKeys, webKeys } from './sealed-words.ts';
import type { Visit } from './visit.ts';

export interface WebDoorOptions {
  readonly env: Env;
  /** Of the server. */
  readonly url: URL;
  readonly reception: Reception;
  readonly family: 4 | 6 | undefined;
  readonly source: string | undefined;
  /** Beside the system's certificates, PEM. */
  readonly trusted: string | undefined;
  readonly failed: (error: unknown) => void;
}

/** For an answer to come; one that waits for news comes after 20 s at the latest. */
const PATIENCE_MS = 30_000;
const AGAIN_MS = 1_000;
/** Failures in a row, each a second after the one before, after which it is given up. */
const MOST_FAILURES = 5;

export class WebDoor {
  readonly #options: WebDoorOptions;
  readonly #code: string;
  readonly #keys: WebKeys;
  readonly #member: string;
  readonly #remote: Endpoint;
  readonly #stop = new AbortController();
  /** What is to be said waits for its turn: order matters. */
  #saying: Promise<unknown> = Promise.resolve();
  #serial = 0;
  #heard = 0;
  #last = 0;
  #visit: { readonly visit: Visit; readonly instance: unknown } | undefined;

  private constructor(options: WebDoorOptions, remote: Endpoint) {
    const { random } = options.env;
    this.#options = options;
    this.#remote = remote;
    this.#code = generateCode(random);
    this.#keys = webKeys(this.#code);
    this.#member = randomId(random);
  }

  /** Rejects with NetError where the server cannot be reached, or has no such page. */
  static async open(options: WebDoorOptions, signal: AbortSignal): Promise<WebDoor> {
    const { env, url, family } = options;
    const [address] = await env.resolver.addresses(hostOf(url), family, signal);
    if (address === undefined) throw new NetError('not-found', `${hostOf(url)} has no address`);
    const door = new WebDoor(options, { address, port: portOf(url) });
    signal.addEventListener('abort', () => door.#stop.abort(signal.reason), { once: true });
    await door.#post({ event: 'setup', data: options.reception.setup() });
    void door.#listen().catch((error: unknown) => {
      if (door.#stop.signal.aborted) return;
      if (isOfNetwork(error)) options.reception.shut(asNetError(error));
      else options.failed(error);
    });
    return door;
  }

  /** The code stands behind #, which browsers send to nobody. */
  get url(): string {
    return `${new URL('/', this.#options.url).href}#${this.#code}`;
  }

  /** Takes the box away: the link is good for nobody then. */
  async close(): Promise<void> {
    await this.#saying.catch(() => {});
    this.#stop.abort(new NetError('closed', 'the check is over'));
    const bounds = new AbortController();
    const cancel = this.#options.env.clock.after(AGAIN_MS, () => bounds.abort());
    await this.#exchange('POST', '', { member: this.#member, close: true }, bounds.signal).catch(() => {});
    cancel();
  }

  #say(words: { readonly event: string; readonly data: unknown }): void {
    this.#saying = this.#saying
      .then(() => this.#post(words))
      .catch((error: unknown) => {
        if (!isOfNetwork(error) && !this.#stop.signal.aborted) this.#options.failed(error);
      });
  }

  async #post(words: { readonly event: string; readonly data: unknown }): Promise<void> {
    const { env } = this.#options;
    const data = sealWords(this.#keys.terminal, this.#keys.room, { ...words, n: ++this.#serial }, env.random);
    const { status } = await this.#exchange('POST', '', { member: this.#member, data }, this.#stop.signal);
    if (status !== 204)
      throw new NetError(
        'refused',
        `${this.#options.url.host} does not pass on messages (status ${status}): it needs nat-tool serve --web`,
      );
  }

  async #listen(): Promise<void> {
    const { signal } = this.#stop;
    const { clock } = this.#options.env;
    for (let failures = 0; !signal.aborted; ) {
      const askedAt = clock.now();
      let news = false;
      try {
        const { status, body } = await this.#exchange('GET', `/${this.#heard}/${this.#member}`, undefined, signal);
        const messages = ((status === 200 ? JSON.parse(body) : null) as { messages?: unknown } | null)?.messages;
        if (!Array.isArray(messages)) throw new NetError('closed', 'the server has forgotten the meeting');
        failures = 0;
        for (const message of messages) {
          this.#heard++;
          const words =
            typeof message === 'string' ? openWords(this.#keys.browser, this.#keys.room, message) : undefined;
          if (words) this.#hear(words);
          news ||= words !== undefined;
        }
        // It answers when there is something: a server that has nothing at once, or only what nobody sealed, is not asked without a pause.
        if (!news && clock.now() - askedAt < AGAIN_MS) await sleep(clock, AGAIN_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!isOfNetwork(error) || ++failures >= MOST_FAILURES) throw error;
        await sleep(clock, AGAIN_MS, signal);
      }
    }
  }

  #hear({ n, kind, instance, ...message }: Readonly<Record<string, unknown>>): void {
    // A page that goes has sealed that beforehand.
    if (kind === 'bye') return void (this.#visit?.instance === instance && this.#visit?.visit.leave());
    if (typeof n !== 'number' || n <= this.#last) return;
    this.#last = n;
    const { reception } = this.#options;
    try {
      if (kind === 'offer') {
        const { sdp } = message;
        if (typeof sdp !== 'string') return;
        const visit = reception.accept(sdp, false);
        this.#visit = { visit, instance };
        this.#say({ event: 'answer', data: { sdp: visit.peer.description() } });
        void this.#forward(visit);
      } else if (kind === 'incapable') reception.cannot(String(message['why']).slice(0, 200));
      else if (this.#visit?.instance === instance) this.#visit?.visit.hear(kind, message);
    } catch (error) {
      if (!(error instanceof SdpError)) throw error;
    }
  }

  async #forward(visit: Visit): Promise<void> {
    for await (const news of visit.news(this.#stop.signal)) if (news) this.#say(news);
  }

  async #exchange(method: 'GET' | 'POST', more: string, message: unknown, signal: AbortSignal) {
    const { env, source, trusted, url } = this.#options;
    const bounds = new AbortController();
    const stop = (): void => bounds.abort(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    const cancel = env.clock.after(PATIENCE_MS, () =>
      bounds.abort(new NetError('closed', 'the server does not answer')),
    );
    try {
      return await httpExchange(
        env,
        {
          url: new URL(`/box/${this.#keys.room}/terminal${more}`, url),
          method,
          ...(message !== undefined && {
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify(message),
          }),
        },
        this.#remote,
        { source, trusted, signal: bounds.signal },
      );
    } finally {
      cancel();
      signal.removeEventListener('abort', stop);
    }
  }
}

const isOfNetwork = (error: unknown): boolean =>
  error instanceof NetError || error instanceof HttpFormatError || error instanceof SyntaxError;

/** What is no HTTP or no JSON comes from another server. */
const asNetError = (error: unknown): NetError =>
  error instanceof NetError ? error : new NetError('closed', 'what answers there is no nat-tool serve --web');
