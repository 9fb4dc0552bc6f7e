/** What the page's server answers: the page with its style and script, and what the page sends. */
import { SdpError } from '../../ice/sdp.ts';
import type { Incoming, Outgoing } from '../../net/http/server.ts';
import { type Door, GUARDS, jsonIn, refusal } from './doorkeeper.ts';
import type { Visit } from './visit.ts';

/** An offer with its candidates is a few kilobytes. */
export const MOST_BODY = 32_768;

export interface Page {
  /** With what it has to know before it can begin. */
  readonly html: () => string;
  readonly style: string;
  readonly script: string;
}

export interface Desk {
  readonly page: Page;
  /** A new opening of the page. Throws SdpError. */
  readonly offer: (sdp: string, from: Incoming) => Visit;
  readonly visit: (id: string) => Visit | undefined;
  /** The browser has no WebRTC, and why. */
  readonly incapable: (why: string) => void;
}

type Json = Readonly<Record<string, unknown>>;

/** Answers requests; all that it says carries {@link GUARDS}. */
export function routesOf(door: Door, desk: Desk): (request: Incoming) => Promise<Outgoing> {
  const answer = async (request: Incoming): Promise<Outgoing> => {
    const refused = refusal(door, request);
    if (refused) return refused;
    const [, , what = '', id = ''] = request.path.split('/', 4);
    if (request.method === 'GET') return got(what, id, request, desk);
    if (request.method !== 'POST') return { status: 405, headers: { Allow: 'GET, POST' } };
    const message = jsonIn(request);
    if (!message) return { status: 400 };
    return posted(what, id, message, request, desk);
  };
  return async (request) => {
    const { headers, ...rest } = await answer(request);
    return { ...rest, headers: { ...GUARDS, ...headers } };
  };
}

function got(what: string, id: string, request: Incoming, desk: Desk): Outgoing {
  const { page } = desk;
  const text = (type: string, body: string): Outgoing => ({
    status: 200,
    headers: { 'Content-Type': `${type}; charset=utf-8` },
    body,
  });
  switch (what) {
    case '':
      return text('text/html', page.html());
    case 'page.css':
      return text('text/css', page.style);
    case 'page.js':
      return text('text/javascript', page.script);
    case 'events': {
      const visit = desk.visit(id);
      if (!visit) return { status: 404 };
      return { ...text('text/event-stream', ''), body: visit.events(request.signal) };
    }
    default:
      return { status: 404 };
  }
}

async function posted(what: string, id: string, message: Json, request: Incoming, desk: Desk): Promise<Outgoing> {
  const json = (value: unknown): Outgoing => ({
    status: 200,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(value),
  });
  if (what === 'offer') {
    const { sdp } = message;
    if (typeof sdp !== 'string') return { status: 400 };
    try {
      const visit = desk.offer(sdp, request);
      return json({ id: visit.id, sdp: visit.peer.description() });
    } catch (error) {
      if (error instanceof SdpError) return { ...json({ error: error.message }), status: 400 };
      throw error;
    }
  }
  if (what === 'incapable') {
    const { why } = message;
    desk.incapable(typeof why === 'string' ? why.slice(0, 200) : 'it does not say why');
    return { status: 204 };
  }
  if (what !== 'tell') return { status: 404 };
  const visit = desk.visit(id);
  if (!visit) return { status: 404 };
  try {
    return { status: visit.hear(message['kind'], message) ? 204 : 400 };
  } catch (error) {
    if (error instanceof SdpError) return { status: 400 };
    throw error;
  }
}
