import { describe, expect, it } from 'vitest';
import { legend, namesOf, packetLadder } from '../../../src/commands/lab/packets.ts';
import { diagram, type Step } from '../../../src/lab/ladder.ts';
import { createLab, type Lab, type LabOptions } from '../../../src/lab/topology.ts';
import type { Env } from '../../../src/net/env.ts';
import { sleep } from '../../../src/net/wait.ts';
import { renderText } from '../../../src/render/text.ts';
import { plainTheme } from '../../../src/render/theme.ts';
import { run } from '../worlds.ts';

const theme = plainTheme(true);
const A = '192.168.1.3';
const B = '50.60.70.80';

/** What a trace of this shows. */
async function drawn(options: LabOptions, main: (env: Env, lab: Lab) => Promise<void>): Promise<string[]> {
  const lab = createLab({ ...options, trace: true });
  await lab.run((env) => main(env, lab));
  const text = await renderText([packetLadder(diagram(lab.trace), lab.addresses)], theme, 80);
  return text.trimEnd().split('\n');
}

describe('the packets of a run', () => {
  it('have one line for their whole way through two NATs', async () => {
    const lines = await drawn({ nat: 'full-cone', second: { nat: 'full-cone' } }, async (env, lab) => {
      const there = await lab.host('C2').udp.open({ family: 4, port: 5 });
      await there.send(Uint8Array.of(1), { address: B, port: 9 });
      await sleep(env.clock, 500);
      const here = await env.udp.open({ family: 4, port: 7 });
      await here.send(Uint8Array.of(1, 2), { address: '22.23.24.25', port: 24604 });
      await sleep(env.clock, 500);
      here.close();
      there.close();
    });
    expect(lines.find((line) => line.includes('2 bytes'))).toMatch(
      /^500\.0 {2}│─+▶│─+▶│ +│?.*A:7 \(N:24604\) → \(N2:24604\) C2:5 2 bytes$|A:7 \(N:24604\) → \(N2:24604\) C2:5 2 bytes$/,
    );
    expect(lines.every(({ length }) => length <= 80)).toBe(true);
  });

  it('that repeat themselves are shown once', async () => {
    const lines = await drawn({ nat: 'port-restricted-cone' }, async (env) => {
      const socket = await env.udp.open({ family: 4, port: 7 });
      for (let i = 0; i < 20; i++) {
        await socket.send(Uint8Array.of(1), { address: B, port: 9 });
        await sleep(env.clock, 100);
      }
      socket.close();
    });
    expect(lines.filter((line) => line.includes('1 byte')).length).toBeLessThanOrEqual(3);
    expect(lines.join('\n')).toMatch(/the last 2 lines again, 1[78] times/);
  });

  it('of one instant that differ in one thing alone are one line', async () => {
    const lines = await drawn({ nat: 'none' }, async (env) => {
      const socket = await env.udp.open({ family: 4, port: 7 });
      for (const port of [1, 2, 3, 4, 5]) await socket.send(Uint8Array.of(1), { address: '40.30.20.11', port });
      socket.close();
    });
    expect(lines[1]).toMatch(/A:7 → S':1, S':2, S':3 and 2 more 1 byte$/);
  });

  it('are drawn in linear time', () => {
    const steps = Array.from(
      { length: 20_000 },
      (_, i): Step => ({
        kind: 'packet',
        id: i,
        from: 'A',
        to: 'B',
        src: `${A}:${i % 60_000}`,
        dst: `${B}:9`,
        content: `${i} bytes`,
        atMs: i,
      }),
    );
    const block = packetLadder({ participants: ['A', 'B'], steps }, { A: [A], B: [B] });
    expect(block.kind === 'ladder' && block.steps.length).toBe(20_000);
  });
});

it('names every address of a host', () => {
  expect([...namesOf({ S: ['1.0.0.1', '2001:db8::1', '1.0.0.2', '1.0.0.3', '2001:db8::2'] }).values()]).toEqual([
    'S',
    "S'",
    "S'3",
    'S6',
    "S6'",
  ]);
  const step: Step = {
    kind: 'packet',
    id: 1,
    from: 'A',
    to: 'B',
    src: '[2001:db8::1]:1',
    dst: '1.0.0.2:2',
    content: '',
    atMs: 0,
  };
  expect(
    legend({ B: ['1.0.0.2', '1.0.0.3'], A: ['1.0.0.1', '2001:db8::1'] }, [{ participants: [], steps: [step] }]),
  ).toMatchObject({
    text: 'A6=2001:db8::1, B=1.0.0.2',
  });
});

it.each([
  ['--trace', 'detect'],
  ['--trace', '--nat2', 'symmetric,ports=sequential', '--nat', 'port-restricted-cone', 'connect'],
  ['--trace', '--nat', 'cgnat', '--ipv6', 'detect'],
  ['--trace', '--nat', 'full-cone,pool=4:arbitrary', '--loss', '20', 'punch', '-p', '12001', '50.60.70.80', '12003'],
])('%s %s … is at most 80 wide on every terminal', async (...words) => {
  for (const columns of [80, 120]) {
    const { stdout } = await run(['lab', '--no-color', ...words], { columns });
    const [, ladder = ''] = stdout.split(/What happened\n[^\n]*(?:\n\S[^\n]*)?\n\n/);
    expect(ladder).not.toBe('');
    expect(ladder.split('\n').filter(({ length }) => length > 80)).toEqual([]);
  }
});
