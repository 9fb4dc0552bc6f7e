import { describe, expect, it } from 'vitest';
import { Lab } from '../../../src/lab/topology.ts';
import { run } from '../../cli/harness.ts';

describe('webrtc', () => {
  it('tells the link, as a QR code too, and that nobody came', async () => {
    const lab = new Lab({ nat: 'port-restricted-cone', patienceMs: 5_000 });
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
  ])('refuses %j', async (words, message) => {
    const lab = new Lab({ patienceMs: 5_000 });
    const { status, stderr } = await lab.run((env) => run(['webrtc', '--stun', 'stun.example.net', ...words], { env }));
    expect([status, stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});
