import { describe, expect, it } from 'vitest';
import { run } from '../../cli/harness.ts';

async function lifetime(lab: readonly string[], ...argv: string[]) {
  const { stdout, status } = await run(['lab', ...lab, 'lifetime', '--json', ...argv]);
  const { outcome, data, findings } = JSON.parse(stdout);
  return { outcome, data, kinds: findings.map(({ kind }: { kind: string }) => kind), status };
}

describe('the exit status of lifetime', () => {
  it('is 0 where the lives are known', async () => {
    const { outcome, data, status } = await lifetime(['--nat', 'linux']);
    expect([outcome, status]).toEqual(['complete', 0]);
    expect(data.holes.map(({ likelyMs }: { likelyMs: number }) => likelyMs)).toEqual([30_000, 120_000]);
  });

  it.each([
    [['--fault', 'silent'], [], ['no-answer']],
    [['--nat', 'blocked'], [], ['no-answer']],
    [['--offline'], [], ['no-network']],
    [['--offline'], ['40.30.20.10'], ['cannot-send']],
    [[], ['nosuch.example.net'], ['unresolvable']],
  ])('is 1 where no server answered: %j %j', async (lab, argv, expected) => {
    const { outcome, kinds, status } = await lifetime(lab, ...argv);
    expect([outcome, kinds, status]).toEqual(['failed', expected, 1]);
  });

  it('is 3 where -w ended it before they were: what was known by then', async () => {
    const { outcome, data, kinds, status } = await lifetime(['--nat', 'linux'], '-w', '40');
    expect([outcome, kinds, status]).toEqual(['partial', ['out-of-time'], 3]);
    expect(data.holes[0]).toMatchObject({ after: 'one-packet', likelyMs: 30_000 });
    expect(data.holes[1].deadMs).toBeNull();
  });

  it.each([
    [['--fault', 'no-response-port'], [], ['nobody-outside']],
    [['--turn'], ['turn:stun.example.net'], ['nobody-outside']],
  ])('is 3 where one answered, and is of no use: %j %j', async (lab, argv, expected) => {
    const { outcome, kinds, status } = await lifetime(lab, ...argv);
    expect([outcome, kinds, status]).toEqual(['failed', expected, 3]);
  });
});
