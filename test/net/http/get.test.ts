import { describe, expect, it } from 'vitest';
import { ADDRESS_PAGE, startWebService } from '../../../src/lab/address-services.ts';
import { createLab } from '../../../src/lab/topology.ts';
import type { Env } from '../../../src/net/env.ts';
import { httpGet } from '../../../src/net/http/get.ts';

const B = '50.60.70.80';
const get = (env: Env, url: string, signal = new AbortController().signal) =>
  httpGet(env, new URL(url), { family: 4, signal });

describe('httpGet', () => {
  it('asks as the URL says, and tells who answered', async () => {
    const lab = createLab({ names: { 'web.example.test': [B] } });
    let asked = '';
    lab.serve('B', (env) =>
      env.tcp.listen({ address: B, port: 8080 }, async (stream) => {
        for await (const chunk of stream) {
          asked += new TextDecoder().decode(chunk);
          if (!asked.endsWith('\r\n\r\n')) continue;
          await stream.write(new TextEncoder().encode('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'));
        }
      }),
    );
    const answer = await lab.run((env) => get(env, 'http://web.example.test:8080/path?query=1'));
    expect(answer).toMatchObject({ status: 200, body: 'hi', remote: { address: B, port: 8080 } });
    expect(answer.rttMs).toBeGreaterThan(0);
    expect(asked.split('\r\n').slice(0, 2)).toEqual(['GET /path?query=1 HTTP/1.1', 'Host: web.example.test:8080']);
    expect(asked).toContain('\r\nConnection: close\r\n');
  });

  it('takes an answer that ends with the connection', async () => {
    const lab = createLab();
    lab.serve('B', (env) => startWebService(env, B, 80, ADDRESS_PAGE));
    expect(await lab.run((env) => get(env, `http://${B}/`))).toMatchObject({ status: 200 });
  });

  it('goes on to the next address where one does not answer', async () => {
    const lab = createLab({ names: { 'web.example.test': ['50.60.70.99', B] } });
    lab.serve('B', (env) => startWebService(env, B, 80, ADDRESS_PAGE));
    const { remote } = await lab.run((env) => get(env, 'http://web.example.test/'));
    expect(remote.address).toBe(B);
  });

  it('says what went wrong: no name, a closed port, a connection closed without an answer', async () => {
    await expect(createLab().run((env) => get(env, 'http://none.example.test/'))).rejects.toMatchObject({
      kind: 'not-found',
    });
    await expect(createLab().run((env) => get(env, `http://${B}/`))).rejects.toMatchObject({ kind: 'refused' });
    const lab = createLab();
    lab.serve('B', (env) => env.tcp.listen({ address: B, port: 80 }, (stream) => stream.close()));
    await expect(lab.run((env) => get(env, `http://${B}/`))).rejects.toThrow('without an answer');
  });

  it('ends with the reason of a signal that aborts while the connection is handed over', async () => {
    const lab = createLab();
    lab.serve('B', (env) => startWebService(env, B, 80));
    const controller = new AbortController();
    await expect(
      lab.run((env) => {
        const connect: Env['tcp']['connect'] = (...args) =>
          env.tcp.connect(...args).finally(() => controller.abort('enough'));
        return get({ ...env, tcp: { ...env.tcp, connect } }, `http://${B}/`, controller.signal);
      }),
    ).rejects.toBe('enough');
  });

  it('ends with the reason of its signal, wherever it stands', async () => {
    const lab = createLab();
    lab.serve('B', (env) => startWebService(env, B, 80));
    const controller = new AbortController();
    await expect(
      lab.run((env) => {
        env.clock.after(500, () => controller.abort('enough'));
        return get(env, `http://${B}/`, controller.signal);
      }),
    ).rejects.toBe('enough');
  });
});
