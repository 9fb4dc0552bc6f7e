import { describe, expect, it } from 'vitest';
import { startWeb } from '../../../src/commands/serve/web.ts';
import { Lab } from '../../../src/lab/topology.ts';
import type { Env } from '../../../src/net/env.ts';
import { httpExchange } from '../../../src/net/http/request.ts';
import { sleep } from '../../../src/net/wait.ts';

const AT = { address: '40.30.20.60', port: 8080 };
const ROOM = 'AbCdEfGhIjKlMnOpQrStUv';
const [T, B, X] = ['T', 'B', 'X'].map((each) => each.repeat(22)) as [string, string, string];

interface Asked {
  readonly status: number;
  readonly body: string;
}

type Ask = (
  method: 'GET' | 'POST',
  path: string,
  message?: unknown,
  headers?: Record<string, string>,
) => Promise<Asked>;

function served<T>(client: (ask: Ask, env: Env) => Promise<T>): Promise<T> {
  const lab = new Lab();
  const host = lab.addHost('T', [AT.address]);
  return lab.run(async (env, signal) => {
    const listener = await startWeb(host, AT, undefined, (error) => {
      throw error;
    });
    const ask: Ask = (method, path, message, headers = {}) =>
      httpExchange(
        env,
        {
          url: new URL(path, `http://${AT.address}:${AT.port}`),
          method,
          headers: { 'Content-Type': 'application/json', ...headers },
          body: JSON.stringify(message ?? {}),
        },
        AT,
        { signal },
      );
    try {
      return await client(ask, env);
    } finally {
      listener.close();
    }
  });
}

const box = (side: string, more = ''): string => `/box/${ROOM}/${side}${more}`;

describe('the face of serve for browsers', () => {
  it('has the page, and nothing else', async () => {
    await served(async (ask) => {
      expect(await ask('GET', '/')).toMatchObject({ status: 200, body: expect.stringContaining('{"web":true}') });
      for (const path of ['/page.css', '/page.js']) expect((await ask('GET', path)).status).toBe(200);
      for (const path of ['/else', '/box/short/terminal', box('nobody')])
        expect((await ask('GET', path)).status).toBe(404);
      expect((await ask('GET', box('terminal'))).status).toBe(405);
    });
  });

  it('passes on what is said, to whoever waits as soon as it is there', async () => {
    await served(async (ask, env) => {
      expect((await ask('POST', box('terminal'), { member: T, data: 'c2V0dXA' })).status).toBe(204);
      expect(JSON.parse((await ask('GET', box('browser', `/0/${B}`))).body)).toEqual({ messages: ['c2V0dXA'] });
      const began = env.clock.now();
      const [heard] = await Promise.all([
        ask('GET', box('terminal', `/0/${T}`)),
        sleep(env.clock, 3_000).then(() => ask('POST', box('browser'), { member: B, data: 'b2ZmZXI' })),
      ]);
      expect(JSON.parse(heard.body)).toEqual({ messages: ['b2ZmZXI'] });
      expect(env.clock.now() - began).toBeLessThan(4_000);
      expect(JSON.parse((await ask('GET', box('terminal', `/1/${T}`))).body)).toEqual({ messages: [] });
    });
  });

  it('turns away strangers, whatever they say', async () => {
    await served(async (ask) => {
      await ask('POST', box('terminal'), { member: T, data: 'c2V0dXA' });
      await ask('GET', box('browser', `/0/${B}`));
      expect((await ask('GET', box('browser', `/0/${X}`))).status).toBe(409);
      expect((await ask('POST', box('browser'), { member: X, data: 'eA' })).status).toBe(409);
      expect((await ask('GET', `/box/${'z'.repeat(22)}/browser/0/${B}`)).status).toBe(404);
      for (const message of [
        {},
        { member: 'short', data: 'eA' },
        { member: B, data: '<script>' },
        { member: B, data: 7 },
      ])
        expect((await ask('POST', box('browser'), message)).status).toBe(400);
      const foreign = { Origin: 'http://evil.example.net' };
      expect((await ask('POST', box('browser'), { member: B, data: 'eA' }, foreign)).status).toBe(403);
      expect((await ask('GET', '/', undefined, { Host: 'evil.example.net' })).status).toBe(421);
    });
  });

  it('takes the box away when the terminal says so', async () => {
    await served(async (ask) => {
      await ask('POST', box('terminal'), { member: T, data: 'c2V0dXA' });
      expect((await ask('POST', box('terminal'), { member: X, close: true })).status).toBe(204);
      expect((await ask('GET', box('browser', `/0/${B}`))).status).toBe(200);
      await ask('POST', box('terminal'), { member: T, close: true });
      expect((await ask('GET', box('browser', `/0/${B}`))).status).toBe(404);
    });
  });
});
