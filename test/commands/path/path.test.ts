import { describe, expect, it } from 'vitest';
import { run } from '../../cli/harness.ts';

async function path(lab: readonly string[], ...argv: string[]) {
  const { stdout, status } = await run(['lab', ...lab, 'path', '--json', ...argv]);
  const { data, findings } = JSON.parse(stdout);
  return { data, findings, status };
}

describe('path, from a server that answers with an error', () => {
  it.each([
    ['error', { code: 500 }],
    ['wants-login', { code: 401, login: 'needed' }],
    ['redirects-round', { code: 300, to: '40.30.20.11:3478' }],
  ])('%s: says so, and not that it is silent', async (fault, error) => {
    const { data, findings, status } = await path(['--fault', fault]);
    expect(data).toMatchObject({ server: null, layers: [], nats: null });
    expect(findings).toEqual([expect.objectContaining({ kind: 'server-error', server: '40.30.20.10:3478', ...error })]);
    expect(status).toBe(3);
  });

  it('silence is silence', async () => {
    const { findings, status } = await path(['--fault', 'silent']);
    expect(findings).toEqual([expect.objectContaining({ kind: 'no-answer' })]);
    expect(status).toBe(1);
  });
});
