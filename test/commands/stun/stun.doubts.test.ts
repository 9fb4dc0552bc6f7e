/** What a server says and cannot be true, in every form of the answer. */
import { describe, expect, it } from 'vitest';
import type { ServerFault } from '../../../src/lab/server-faults.ts';
import { withFaults } from '../../../src/lab/faults.ts';
import { createLab } from '../../../src/lab/topology.ts';
import { run, tell } from '../worlds.ts';

const server = (i: number, ...faults: ServerFault[]) => ({
  name: `s${i}.example.net`,
  addresses: [`40.30.${i}.10`, `40.30.${i}.11`],
  faults,
});
const named = (servers: readonly { readonly name: string }[]) => servers.map(({ name }) => name);

describe('an answer that cannot be true', () => {
  it('is no answer to a script', async () => {
    const servers = [server(1, 'lie-private')];
    const asked = (words: string[]) => createLab({ servers }).run((env) => run(['stun', ...words], { env }));
    expect(await asked(['--short', 's1.example.net'])).toMatchObject({ status: 1, stdout: '' });
    expect(await asked(['s1.example.net'])).toMatchObject({ status: 1, stdout: expect.stringContaining('10.0.0.7') });
  });

  it('of a server inside this network is what was asked for', async () => {
    const lab = createLab(withFaults({}, ['lan-server']));
    const { status, stdout } = await lab.run((env) => run(['stun', '--short', 'stun.lan'], { env }));
    expect([status, stdout]).toEqual([0, '192.168.1.3:42301\n']);
  });

  it('among many is pointed at, and the first few are named', async () => {
    const servers = Array.from({ length: 16 }, (_, i) =>
      server(i + 1, ...(i % 2 === 0 ? (['lie-private'] as const) : [])),
    );
    const { report, status } = await createLab({ servers }).run((env) => tell(env, ['stun', ...named(servers)]));
    expect(status).toBe(0);
    expect(report.findings.map(({ kind }) => kind)).toEqual([...Array(5).fill('answer-doubted'), 'more-doubted']);
    expect(report.findings.at(-1)?.text).toContain('3 more servers say');
    const { stdout } = await createLab({ servers }).run((env) => run(['stun', ...named(servers)], { env }));
    expect(stdout.match(/10\.0\.0\.7:31234 \(doubted\)/g)).toHaveLength(8);
  });
});
