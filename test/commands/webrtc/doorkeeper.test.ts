import { describe, expect, it } from 'vitest';
import { refusal } from '../../../src/commands/webrtc/doorkeeper.ts';
import type { Incoming } from '../../../src/net/http/server.ts';

const SECRET = 'AbCdEfGhIjKlMnOpQrStUv';
const door = { scheme: 'http' as const, secret: SECRET };

const request = (method: string, path: string, headers: Record<string, string>): Incoming => ({
  method,
  path,
  headers: new Map(Object.entries({ host: '127.0.0.1:8080', ...headers })),
  body: new Uint8Array(),
  remote: { address: '127.0.0.1', port: 50_000 },
  signal: new AbortController().signal,
});
const page = `/${SECRET}/`;

describe('the door of the page', () => {
  it.each([
    ['the page', 'GET', page, {}],
    ['the page by the name of this host', 'GET', page, { host: 'LOCALHOST:8080' }],
    ['the page by an address that a router forwards', 'GET', page, { host: '12.13.14.15:80' }],
    ['the page by IPv6', 'GET', page, { host: '[::1]:8080' }],
    ['its own script', 'GET', `${page}page.js`, { 'sec-fetch-site': 'same-origin' }],
    ['a link from elsewhere', 'GET', page, { 'sec-fetch-site': 'cross-site' }],
    ['its own offer', 'POST', `${page}offer`, { origin: 'http://127.0.0.1:8080', 'sec-fetch-site': 'same-origin' }],
  ])('lets in %s', (_, method, path, headers) => {
    expect(refusal(door, request(method, path, headers))).toBeUndefined();
  });

  it.each([
    ["a stranger's name that leads here (DNS rebinding)", 'GET', page, { host: 'evil.example.net:8080' }, 421],
    ['a name that looks like an address', 'GET', page, { host: '127.0.0.1.example.net:8080' }, 421],
    ['a name in brackets', 'GET', page, { host: '[evil.example.net]:8080' }, 421],
    ['no name', 'GET', page, { host: '' }, 421],
    ['who has no secret', 'GET', '/', {}, 404],
    ['half of the secret', 'GET', `/${SECRET.slice(0, 11)}/`, {}, 404],
    ['another secret', 'GET', `/${SECRET.toLowerCase()}/`, {}, 404],
    ['more than the secret', 'GET', `/${SECRET}x/`, {}, 404],
    ["a stranger's page that posts", 'POST', `${page}offer`, { origin: 'http://evil.example.net' }, 403],
    ['the same with another scheme', 'POST', `${page}offer`, { origin: 'https://127.0.0.1:8080' }, 403],
    ['a page of no origin', 'POST', `${page}offer`, { origin: 'null' }, 403],
    ['a post that does not say where it comes from', 'POST', `${page}offer`, {}, 403],
    [
      'a post across sites',
      'POST',
      `${page}offer`,
      { origin: 'http://127.0.0.1:8080', 'sec-fetch-site': 'cross-site' },
      403,
    ],
    ['a page elsewhere that reads', 'GET', `${page}events/1`, { origin: 'http://evil.example.net' }, 403],
  ])('keeps out %s', (_, method, path, headers, status) => {
    expect(refusal(door, request(method, path, headers))?.status).toBe(status);
  });

  it('has no picture for the tab, and does not call that an error', () => {
    expect(refusal(door, request('GET', '/favicon.ico', {}))?.status).toBe(204);
  });

  it('takes any name over TLS, for which the certificate vouches', () => {
    const named = request('GET', page, { host: 'meet.example.net:8443' });
    expect(refusal({ scheme: 'https', secret: SECRET }, named)).toBeUndefined();
    expect(refusal(door, named)?.status).toBe(421);
  });
});
