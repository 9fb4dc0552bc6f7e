/** The page's own server, for a browser on this host or in its network. */
import { familyOf, formatEndpoint, isAnyAddress, scopeOf } from '../../net/address.ts';
import type { Env, TcpListener, TlsIdentity } from '../../net/env.ts';
import { serveHttp } from '../../net/http/server.ts';
import type { Args } from './options.ts';
import html from './page/page.html';
import script from './page/page.script';
import style from './page/page.css';
import { randomId } from './random-id.ts';
import type { Reception } from './reception.ts';
import { MOST_BODY, routesOf } from './routes.ts';

/** Pages that are open at once, from the first request on. */
const MOST_CONNECTIONS = 64;

export interface HallOptions {
  readonly env: Env;
  readonly args: Pick<Args, 'listen' | 'port'>;
  readonly reception: Reception;
  readonly identity: TlsIdentity | undefined;
  /** For errors of ours. */
  readonly failed: (error: unknown) => void;
}

export class Hall {
  readonly #options: HallOptions;
  readonly #secret: string;
  readonly #listener: Pick<TcpListener, 'local' | 'close'>;

  private constructor(options: HallOptions, secret: string, listener: Pick<TcpListener, 'local' | 'close'>) {
    this.#options = options;
    this.#secret = secret;
    this.#listener = listener;
  }

  /** Rejects with NetError where the port cannot be had. */
  static async open(options: HallOptions): Promise<Hall> {
    const { env, args, reception, identity, failed } = options;
    const secret = randomId(env.random);
    // Nothing in it can end the element that holds it.
    const page = () => html.replace('>{}<', () => `>${JSON.stringify(reception.setup()).replace(/</g, '\\u003c')}<`);
    const isHere = (address: string): boolean =>
      scopeOf(address) === 'loopback' || env.interfaces().some((each) => each.address === address);
    const answer = routesOf(
      { scheme: identity ? 'https' : 'http', secret },
      {
        page: { html: page, style, script },
        offer: (sdp, { remote }) => reception.accept(sdp, isHere(remote.address)),
        visit: (id) => reception.visit(id),
        incapable: (why) => reception.cannot(why),
      },
    );
    const at = { address: args.listen ?? '127.0.0.1', port: args.port };
    const listener = await serveHttp(env, at, {
      answer,
      failed,
      mostBody: MOST_BODY,
      mostConnections: MOST_CONNECTIONS,
      identity,
    });
    return new Hall(options, secret, listener);
  }

  /** The link, secret included. */
  get url(): string {
    const { env, identity } = this.#options;
    const { local } = this.#listener;
    const family = familyOf(local.address);
    // For others, the address that they can reach.
    const address = isAnyAddress(local.address)
      ? (env.interfaces().find((each) => each.family === family && !each.internal)?.address ??
        (family === 4 ? '127.0.0.1' : '::1'))
      : local.address;
    return `${identity ? 'https' : 'http'}://${formatEndpoint({ address, port: local.port })}/${this.#secret}/`;
  }

  async close(): Promise<void> {
    this.#listener.close();
  }
}
