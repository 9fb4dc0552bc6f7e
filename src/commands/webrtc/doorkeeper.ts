/**
 * Who may speak to the page's server. The path is a secret that only the link holds. Beside it: a name in Host that is not ours means that a
 * stranger's name leads here (DNS rebinding), and an Origin that is not ours that a stranger's page is asking (CSRF). Pure.
 */
import type { Incoming, Outgoing } from '../../net/http/server.ts';
import { isAddress } from '../../net/address.ts';

export interface Door {
  readonly scheme: 'http' | 'https';
  /** First part of the path, without slashes. */
  readonly secret: string;
}

/**
 * Whether a browser that asks for this host (`host[:port]`) cannot have been led here by a stranger's name: an address leads nowhere else, whatever
 * router forwards the port, and over TLS the certificate vouches for the name.
 */
export function isOurs(scheme: Door['scheme'], host: string): boolean {
  const [, name = ''] = /^(\[[^\]]*\]|[^:]*)(?::\d{1,5})?$/.exec(host) ?? [];
  return name === 'localhost' || isAddress(name.replace(/^\[|\]$/g, '')) || (scheme === 'https' && name !== '');
}

/** What to say to whom must not come in; undefined lets in. */
export function refusal({ scheme, secret }: Door, { method, path, headers }: Incoming): Outgoing | undefined {
  const host = headers.get('host')?.toLowerCase() ?? '';
  if (!isOurs(scheme, host)) return { status: 421, body: 'This server goes by its address alone.\n' };
  if (method === 'GET' && path === '/favicon.ico') return { status: 204 };
  const given = path.split('/', 2)[1] ?? '';
  if (!sameText(given, secret)) return { status: 404, body: 'Not found\n' };
  const origin = headers.get('origin');
  const ours = `${scheme}://${host}`;
  // A browser says where a POST comes from; what does not is none of our page's.
  if (origin === undefined ? method === 'POST' : origin.toLowerCase() !== ours) return { status: 403 };
  const site = headers.get('sec-fetch-site');
  if (method === 'POST' && site !== undefined && site !== 'same-origin') return { status: 403 };
  return undefined;
}

/** In a time that does not tell how much of it is right. */
function sameText(given: string, wanted: string): boolean {
  let difference = given.length ^ wanted.length;
  for (let i = 0; i < wanted.length; i++)
    difference |= given.charCodeAt(i % (given.length || 1)) ^ wanted.charCodeAt(i);
  return difference === 0;
}

/** What every answer says: nothing is kept, nothing of others is loaded, nobody frames it, no address of it leaves. */
export const GUARDS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(self), microphone=(), geolocation=()',
};

/** The object in a request's body; undefined where there is none. */
export function jsonIn({ headers, body }: Incoming): Readonly<Record<string, unknown>> | undefined {
  // Another type would do without a question to the server first (CORS), from any page.
  if (!/^application\/json\b/i.test(headers.get('content-type') ?? '')) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
