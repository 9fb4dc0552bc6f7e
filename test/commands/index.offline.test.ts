import { expect, it } from 'vitest';
import { createLab } from '../../src/lab/topology.ts';
import { run } from './worlds.ts';

const lines = (text: string): string[] => text.trimEnd().split('\n');

it.each(['detect', 'stun', 'public-ip'])('%s without a network says so in one sentence', async (command) => {
  const { status, stdout, stderr } = await createLab({ offline: true }).run((env) => run([command], { env }));
  expect(status).toBe(1);
  expect(stderr).toBe('note: This machine has no network address but loopback: it is on no network.\n');
  expect(lines(stdout).length).toBeLessThanOrEqual(3);
});

it.each(['detect', 'stun', 'public-ip'])('%s where nothing answers lists no sources', async (command) => {
  const { stdout, stderr } = await createLab({ nat: 'blocked', servers: [] }).run((env) =>
    run([command, '-w', '2'], { env }),
  );
  expect(lines(stderr).length, stderr).toBeLessThanOrEqual(5);
  expect(lines(stdout).length).toBeLessThanOrEqual(3);
});
