/** `serve --web`: the page of `webrtc` for browsers elsewhere, and the boxes in which its users leave sealed messages for each other. */
import { type Endpoint, scopeOf } from '../../net/address.ts';
import type { Env, TcpListener, TlsIdentity } from '../../net/env.ts';
import { type Incoming, type Outgoing, serveHttp } from '../../net/http/server.ts';
import { sourceName } from '../../net/rate-limit.ts';
import { Gate } from '../../net/wait.ts';
import { type BoxRefusal, type BoxSide, Mailboxes, MOST_MESSAGE } from '../../rendezvous/mailbox.ts';
import { GUARDS, isOurs, jsonIn } from '../webrtc/doorkeeper.ts';
import html from '../webrtc/page/page.html';
import script from '../webrtc/page/page.script';
import style from '../webrtc/page/page.css';

/** How long somebody who asks waits for news, ms. */
const WAIT_MS = 20_000;
const MOST_CONNECTIONS = 512;

const STATUS: Readonly<Record<BoxRefusal, number>> = { gone: 404, taken: 409, full: 413 };

/** Rejects with NetError where the port cannot be had. */
export async function startWeb(
  env: Pick<Env, 'tcp' | 'clock'>,
  at: Endpoint,
  identity: TlsIdentity | undefined,
  failed: (error: unknown) => void,
): Promise<TcpListener> {
  const boxes = new Boxes(env);
  const scheme = identity ? 'https' : 'http';
  return serveHttp(env, at, {
    identity,
    failed,
    mostBody: 2 * MOST_MESSAGE,
    mostConnections: MOST_CONNECTIONS,
    answer: (request) => {
      const { headers = {}, ...rest } = answerTo(request, scheme, boxes);
      return { ...rest, headers: { ...GUARDS, ...headers } };
    },
  });
}

function answerTo(request: Incoming, scheme: 'http' | 'https', boxes: Boxes): Outgoing {
  const { method, path, headers } = request;
  const host = headers.get('host')?.toLowerCase() ?? '';
  if (!isOurs(scheme, host)) return { status: 421, body: 'This server goes by its address alone.\n' };
  // Terminals say nothing of where they come from, and pages of others cannot but say it.
  const origin = headers.get('origin')?.toLowerCase();
  if (origin !== undefined && origin !== `${scheme}://${host}`) return { status: 403 };
  const text = (type: string, body: string): Outgoing => ({
    status: 200,
    headers: { 'Content-Type': `${type}; charset=utf-8` },
    body,
  });
  if (method === 'GET')
    switch (path) {
      case '/':
        return text('text/html', html.replace('>{}<', '>{"web":true}<'));
      case '/page.css':
        return text('text/css', style);
      case '/page.js':
        return text('text/javascript', script);
      case '/favicon.ico':
        return { status: 204 };
    }
  const [, name, sideText, after, member] =
    /^\/box\/([\w-]{22})\/(terminal|browser)(?:\/(\d{1,6})\/([\w-]{22}))?$/.exec(path) ?? [];
  if (name === undefined) return { status: 404 };
  const side = sideText as BoxSide;
  if (method === 'GET' && after !== undefined && member !== undefined)
    return boxes.read(name, side, member, Number(after), request);
  return method === 'POST' && after === undefined ? boxes.put(name, side, jsonIn(request), request) : { status: 405 };
}

/** Whoever makes boxes; undefined for a proxy on this host, which speaks for many. */
const sourceOf = ({ remote }: Incoming): string | undefined =>
  scopeOf(remote.address) === 'loopback' ? undefined : sourceName(remote.address);

class Boxes {
  readonly #boxes = new Mailboxes();
  readonly #env: Pick<Env, 'clock'>;
  readonly #gate: Gate;

  constructor(env: Pick<Env, 'clock'>) {
    this.#env = env;
    this.#gate = new Gate(env.clock);
  }

  put(name: string, side: BoxSide, message: Readonly<Record<string, unknown>> | undefined, from: Incoming): Outgoing {
    const { member, data, close } = message ?? {};
    if (typeof member !== 'string' || !/^[\w-]{22}$/.test(member)) return { status: 400 };
    if (close === true && side === 'terminal') {
      this.#boxes.remove(name, member);
      this.#gate.notify();
      return { status: 204 };
    }
    if (typeof data !== 'string' || data.length > MOST_MESSAGE || !/^[\w-]+$/.test(data)) return { status: 400 };
    const refused = this.#boxes.put(name, side, member, data, this.#env.clock.now(), sourceOf(from));
    this.#gate.notify();
    return { status: refused === undefined ? 204 : STATUS[refused] };
  }

  /** At once where there is something, else as soon as there is; an empty list after a while. */
  read(name: string, side: BoxSide, member: string, after: number, from: Incoming): Outgoing {
    const { signal } = from;
    const look = () => this.#boxes.read(name, side, member, after, this.#env.clock.now(), sourceOf(from));
    const first = look();
    if (typeof first === 'string') return { status: STATUS[first] };
    const gate = this.#gate;
    async function* body(): AsyncGenerator<string> {
      const changed = (): boolean => {
        const found = look();
        return typeof found === 'string' || found.length > 0;
      };
      await gate.wait(changed, WAIT_MS, signal).catch(() => false);
      const found = look();
      yield JSON.stringify(typeof found === 'string' ? { gone: true } : { messages: found });
    }
    return { status: 200, headers: { 'Content-Type': 'application/json' }, body: body() };
  }
}
