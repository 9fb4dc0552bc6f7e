import { describe, expect, it } from 'vitest';
import { diagram } from '../../src/lab/ladder.ts';
import { createLab } from '../../src/lab/topology.ts';
import { sleep } from '../../src/net/wait.ts';

const said = async (nat: string, to = { address: '40.30.20.10', port: 3478 }, ttl = 64) => {
  const lab = createLab({ nat, trace: true });
  await lab.run(async (env) => {
    const socket = await env.udp.open({ family: 4 });
    await socket.send(Uint8Array.of(1, 2, 3), to, { ttl });
    await sleep(env.clock, 100);
    socket.close();
  });
  const { participants, steps } = diagram(lab.trace);
  return {
    participants,
    lines: steps.map((step) => {
      switch (step.kind) {
        case 'packet':
          return `${step.from}>${step.to} ${step.src} → ${step.dst} ${step.content}${step.lost ? ` ✗ ${step.lost}` : ''}`;
        case 'table':
          return [...step.added, ...step.gone].map((row) => `${step.at}: ${Object.values(row).join(' | ')}`).join();
        case 'remark':
          return step.text;
      }
    }),
  };
};

describe('the ladder', () => {
  it('shows each hop before and after translation, and the table when it changed', async () => {
    expect(await said('full-cone', { address: '50.60.70.80', port: 9 })).toEqual({
      participants: ['A', 'N', 'B'],
      lines: [
        'A>N 192.168.1.3:42301 → 50.60.70.80:9 3 bytes',
        'N: 192.168.1.3:42301 | 12.13.14.15:24604 | 50.60.70.80:9',
        'N>B 12.13.14.15:24604 → 50.60.70.80:9 3 bytes',
        'B has nobody on port 9',
        'B>N 50.60.70.80:9 → 12.13.14.15:24604 ICMP port unreachable',
        'N>A 50.60.70.80:9 → 192.168.1.3:42301 ICMP port unreachable',
      ],
    });
  });

  it('counts in the singular too', async () => {
    const lab = createLab({ nat: 'none', trace: true });
    await lab.run(async (env) => {
      const socket = await env.udp.open({ family: 4 });
      await socket.send(Uint8Array.of(1), { address: '50.60.70.80', port: 9 });
      socket.close();
    });
    expect(diagram(lab.trace).steps.flatMap((step) => (step.kind === 'packet' ? [step.content] : []))[0]).toMatch(
      /^1 byte$/,
    );
  });

  it('puts a carrier between router and server', async () => {
    expect((await said('cgnat')).participants).toEqual(['A', 'N', 'CGN', 'S']);
  });

  it('says why a packet does not arrive', async () => {
    expect((await said('blocked')).lines).toEqual([
      'A>N 192.168.1.3:42301 → 40.30.20.10:3478 3 bytes',
      'N drops it: UDP does not pass here',
    ]);
    expect((await said('full-cone', undefined, 3)).lines.at(-1)).toBe(
      'N>S 12.13.14.15:24604 → 40.30.20.10:3478 3 bytes ✗ its time to live is over',
    );
    expect((await said('full-cone', { address: '9.9.9.9', port: 9 })).lines.at(-1)).toContain(
      'nobody has that address',
    );
    expect((await said('full-cone', { address: '12.13.14.15', port: 9 })).lines.at(-1)).toBe(
      'N drops it: it does not turn packets to its own public side round',
    );
  });
});
