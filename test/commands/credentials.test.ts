/** A server that wants a user name and password, and every command that asks servers. */
import { describe, expect, it } from 'vitest';
import { credentialsOf } from '../../src/commands/credentials.ts';
import { withFaults } from '../../src/lab/faults.ts';
import { createLab } from '../../src/lab/topology.ts';
import { play, run } from './worlds.ts';

const LOGIN = { NAT_TOOL_USERNAME: 'alice', NAT_TOOL_PASSWORD: 'secret' };
const WORDS = /NAT_TOOL_USERNAME and\s+NAT_TOOL_PASSWORD/;

const asked = (words: readonly string[], environment: Record<string, string>) => {
  const lab = createLab(withFaults({ patienceMs: 60_000 }, ['wants-login']));
  return play(lab, (on) => run(words, { env: on('A'), environment }));
};

describe.each([
  ['stun', ['stun', 'stun.example.net']],
  ['detect', ['detect', 'stun.example.net']],
  ['public-ip', ['public-ip', '--via', 'stun', '--stun', 'stun.example.net', '-v']],
  ['punch', ['punch', '-p', '12001', '--stun', 'stun.example.net', '-c', '1', '50.60.70.80', '12003']],
  ['listen', ['listen', '-p', '12001', '--stun', 'stun.example.net', '-w', '2']],
] as const)('%s', (_, words) => {
  it('learns the public side with the credentials of the environment', async () => {
    const { stdout, stderr } = await asked(words, LOGIN);
    expect(stdout + stderr).toContain('12.13.14.15');
    expect(stdout + stderr).not.toContain('401');
  });

  it.each([
    ['without', {}, /it wants a\s+user\s+name/],
    ['with wrong ones', { ...LOGIN, NAT_TOOL_PASSWORD: 'guess' }, /it does not\s+take\s+the\s+user\s+name/],
  ])('says what 401 means: %s', async (_, environment, meaning) => {
    const { stdout, stderr } = await asked(words, environment);
    expect((stdout + stderr).replace(/\s+/g, ' ')).toMatch(new RegExp(meaning.source.replaceAll('\\s+', ' ')));
    expect((stdout + stderr).replace(/\s+/g, ' ')).toMatch(WORDS);
    expect(stdout).not.toContain('12.13.14.15');
  });

  it('refuses half of them', async () => {
    expect(await asked(words, { NAT_TOOL_USERNAME: 'alice' })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('must be set both or neither'),
    });
  });
});

describe('credentialsOf', () => {
  it('is undefined where none are set', () => expect(credentialsOf({})).toBeUndefined());

  it('reads them, long-term unless told', () => {
    expect(credentialsOf(LOGIN)).toEqual({ kind: 'long-term', username: 'alice', password: 'secret' });
    expect(credentialsOf(LOGIN, 'short-term')?.kind).toBe('short-term');
  });

  it.each(['', 'a\u0000', '\u200b'])('refuses what cannot be sent: %j', (password) => {
    expect(() => credentialsOf({ ...LOGIN, NAT_TOOL_PASSWORD: password })).toThrow(/^NAT_TOOL_PASSWORD: /);
  });
});
