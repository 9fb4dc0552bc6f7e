import { describe, expect, it } from 'vitest';
import { nodeClock } from '../../../src/node/clock.ts';
import { run, stillEnv } from '../../cli/harness.ts';

/** `lab` reads the outer clock for its report alone. */
const env = { ...stillEnv, clock: nodeClock };
const json = (stdout: string) =>
  JSON.parse(stdout) as {
    data: {
      pairs: { nat: string; nat2: string; path: string | null; elapsedMs: number; reason: string | null }[];
      runs: { status: number; table: { private: string; public: string; remote: string }[] }[];
    };
  };

describe('nat-tool lab connect', () => {
  it('runs both hosts, wherever the options stand', async () => {
    const first = await run(['lab', '--json', 'connect', '--nat', 'symmetric', '--nat2', 'port-restricted-cone'], {
      env,
    });
    const second = await run(['lab', '--nat', 'symmetric', '--nat2', 'port-restricted-cone', '--json', 'connect'], {
      env,
    });
    expect(first.status).toBe(0);
    expect(json(first.stdout).data.pairs).toEqual([
      {
        nat: 'symmetric',
        nat2: 'port-restricted-cone',
        path: 'predicted',
        elapsedMs: expect.any(Number),
        reason: null,
      },
    ]);
    expect(json(second.stdout).data.pairs).toEqual(json(first.stdout).data.pairs);
    expect(json(first.stdout).data.runs.map(({ status, table }) => [status, table.length > 0])).toEqual([
      [0, true],
      [0, true],
    ]);
  });

  it('shows each packet with both tables', async () => {
    const { status, stdout } = await run(['lab', 'connect', '--trace'], { env });
    expect(status).toBe(0);
    expect(stdout).toMatch(/N2/);
    expect(stdout).toMatch(/192\.168\.1\.3:42301.*12\.13\.14\.15/);
    expect(stdout).toMatch(/192\.168\.2\.3:51201.*22\.23\.24\.25/);
  });

  it('says why there is no path, exit 1', async () => {
    const { status, stdout } = await run(
      ['lab', '--json', 'connect', '--nat=symmetric,ports=random', '--nat2=symmetric,ports=random'],
      { env },
    );
    expect(status).toBe(1);
    expect(json(stdout).data.pairs[0]).toMatchObject({ path: null, reason: expect.stringContaining('odds') });
    expect(json(stdout).data.pairs[0]?.elapsedMs).toBeLessThan(5000);
  });

  it('ends where the first host ends at once, and asks one alone where there is nobody to meet', async () => {
    const wrong = await run(['lab', 'connect', 'nonsense'], { env });
    expect([wrong.status, wrong.stderr.match(/20 letters and digits/g)?.length]).toEqual([2, 2]);
    const kept = await run(['lab', 'connect', '--kept'], { env });
    expect([kept.status, kept.stdout]).toEqual([0, 'No pairing is kept.\n']);
    expect((await run(['lab', 'connect', '--forget', 'ab'], { env })).status).toBe(1);
  });

  it('draws the matrix', async () => {
    const { status, stdout } = await run(['lab', '--json', 'matrix'], { env });
    expect(status).toBe(0);
    const { pairs } = json(stdout).data;
    expect(pairs).toHaveLength(66);
    expect(pairs.filter(({ path }) => path === null).map(({ nat, nat2 }) => [nat, nat2])).toEqual([
      ['symmetric,ports=sequential', 'symmetric,ports=random'],
      ['symmetric,ports=sequential', 'symmetric,ports=random,filtering=ei'],
      ['symmetric,ports=block:512', 'symmetric,ports=random'],
      ['symmetric,ports=block:512', 'symmetric,ports=random,filtering=ei'],
      ['symmetric,ports=random', 'symmetric,ports=random'],
      ['symmetric,ports=random', 'symmetric,ports=random,filtering=ei'],
    ]);
    const { stdout: screen } = await run(['lab', 'matrix', '--no-color'], { env, columns: 80 });
    expect(screen).toContain('| b firewall          | D | D | D | D | D | D | D | P | B | B | B |\n');
    expect(screen).toContain('D  direct: 41 pairs, 0.10 to 0.12 s\n');
    const lines = screen.trimEnd().split('\n');
    expect(lines.length).toBeLessThan(24);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
  });
});
