import { describe, expect, it } from 'vitest';
import { startWeb } from '../../../src/commands/serve/web.ts';
import { Lab } from '../../../src/lab/topology.ts';
import { httpExchange } from '../../../src/net/http/request.ts';
import { serveHttp } from '../../../src/net/http/server.ts';
import { sleep } from '../../../src/net/wait.ts';
import { run } from '../../cli/harness.ts';

describe('webrtc', () => {
  it('tells the link, as a QR code too, and that nobody came', async () => {
    const lab = new Lab({ nat: 'port-restricted-cone', patienceMs: 60_000 });
    const words = ['webrtc', '--listen', '192.168.1.3', '--stun', 'stun.example.net', '--qr', '-w', '2', '--json'];
    const { status, stdout, stderr } = await lab.run((env) => run(words, { env }));
    expect(status).toBe(3);
    expect(stderr).toMatch(/http:\/\/192\.168\.1\.3:\d+\/[\w-]{22}\/\n/);
    expect(stderr.match(/^[ ▀▄█]{20,}$/gm)?.length).toBeGreaterThan(10);
    const { outcome, data, findings } = JSON.parse(stdout) as Record<string, never> & { findings: { kind: string }[] };
    expect({ outcome, data }).toMatchObject({
      outcome: 'failed',
      data: { peer: 'browser', cause: 'no-browser', channel: null },
    });
    expect(findings.map(({ kind }) => kind)).toEqual(['webrtc-no-browser']);
  });

  it.each([
    [['--cert', 'a.pem'], /--cert and --key go together/],
    [['--server', 'http://meet.example.net'], /without TLS/],
    [['--server', 'https://meet.example.net', '--listen', '127.0.0.1'], /exclude each other/],
    [['--camera=1x1'], /COLUMNSxROWS/],
    [['k7qf2-m9x4t-03bsd-v8hwd', '--qr'], /--qr is for the page/],
    [['k7qf2-m9x4t-03bsd-v8hwd', '--listen', '192.168.1.3'], /--listen is for the page/],
  ])('refuses %j', async (words, message) => {
    const lab = new Lab({ patienceMs: 60_000 });
    const { status, stderr } = await lab.run((env) => run(['webrtc', '--stun', 'stun.example.net', ...words], { env }));
    expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
  });

  it('survives a page that offers nonsense or goes while candidates are gathered', async () => {
    const lab = new Lab({ nat: 'port-restricted-cone', patienceMs: 60_000 });
    const statuses: number[] = [];
    const { status, stderr } = await lab.run((env) => {
      const words = ['webrtc', '--listen', '192.168.1.3', '--stun', 'stun.example.net', '-w', '5'];
      const offer = async (link: string): Promise<void> => {
        const url = new URL('offer', link);
        const body = JSON.stringify({ sdp: 'x' });
        const headers = { 'Content-Type': 'application/json', Origin: url.origin };
        const remote = { address: url.hostname, port: Number(url.port) };
        const bounds = { signal: new AbortController().signal };
        statuses.push((await httpExchange(env, { url, method: 'POST', headers, body }, remote, bounds)).status);
      };
      let asked = false;
      const onStderr = (text: string): void => {
        const link = /http:\S+\/(?=\n)/.exec(text)?.[0];
        if (!asked && link !== undefined) {
          asked = true;
          void offer(link);
        }
      };
      return run(words, { env, onStderr });
    });
    expect({ statuses, status, stderr }).toEqual({ statuses: [400], status: 3, stderr: expect.any(String) });
    expect(stderr).not.toContain('internal error');
  });

  it('says so when the server of the page goes, or was never there', async () => {
    for (const goes of [true, false]) {
      const lab = new Lab({ nat: 'port-restricted-cone', patienceMs: 600_000 });
      const at = { address: '127.0.0.1', port: 8080 };
      const { status, stdout } = await lab.run(async (env) => {
        const listener = await startWeb(env, at, undefined, (error) => {
          throw error;
        });
        if (!goes) listener.close();
        const words = ['webrtc', '--server', 'http://127.0.0.1:8080', '--stun', 'stun.example.net', '--json'];
        const running = run(words, { env });
        if (goes) void sleep(env.clock, 10_000).then(() => listener.close());
        return running;
      });
      expect(status).toBe(3);
      expect(JSON.parse(stdout)).toMatchObject({
        schema: 'nat-tool/webrtc@1',
        outcome: 'failed',
        data: { cause: 'no-browser' },
        findings: [{ kind: 'no-meeting-place' }],
      });
    }
  });

  it.each(['null', '[]', '"x"', '{"messages":5}', '<html>'])('gives up a server that says %s', async (body) => {
    const lab = new Lab({ nat: 'port-restricted-cone', patienceMs: 600_000 });
    const at = { address: '127.0.0.1', port: 8080 };
    const { status, stdout } = await lab.run(async (env) => {
      const listener = await serveHttp(env, at, {
        answer: ({ method }) => (method === 'POST' ? { status: 204 } : { status: 200, body }),
        failed: (error) => {
          throw error;
        },
        mostBody: 65_536,
      });
      try {
        return await run(['webrtc', '--server', 'http://127.0.0.1:8080', '--stun', 'stun.example.net', '--json'], {
          env,
        });
      } finally {
        listener.close();
      }
    });
    expect(status).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ findings: [{ kind: 'no-meeting-place' }] });
  });

  it.each(['{"messages":[]}', '{"messages":["that nobody sealed"]}'])(
    'asks a server that says %s without waiting no more than once a second',
    async (body) => {
      const lab = new Lab({ nat: 'port-restricted-cone', patienceMs: 600_000 });
      let asked = 0;
      const { status } = await lab.run(async (env) => {
        const at = { address: '127.0.0.1', port: 8080 };
        const listener = await serveHttp(env, at, {
          answer: ({ method }) => {
            if (method === 'POST') return { status: 204 };
            asked++;
            return { status: 200, body };
          },
          failed: (error) => {
            throw error;
          },
          mostBody: 65_536,
        });
        try {
          const words = ['webrtc', '--server', 'http://127.0.0.1:8080', '--stun', 'stun.example.net', '-w', '20'];
          return await run(words, { env });
        } finally {
          listener.close();
        }
      });
      expect(status).toBe(3);
      expect(asked).toBeGreaterThan(10);
      expect(asked).toBeLessThanOrEqual(21);
    },
  );

  it('calls nothing direct that was interrupted before anybody came', async () => {
    const lab = new Lab({ nat: 'port-restricted-cone', patienceMs: 60_000 });
    const stop = new AbortController();
    const { status, stdout } = await lab.run((env) =>
      run(['webrtc', '--stun', 'stun.example.net', '--short'], {
        env,
        signal: stop.signal,
        onStderr: (text) => text.includes('http://') && stop.abort(),
      }),
    );
    expect([status, stdout]).toEqual([130, 'unknown\n']);
  });
});
