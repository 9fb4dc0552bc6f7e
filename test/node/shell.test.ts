import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Shell } from '../../src/node/shell.ts';

describe.skipIf(process.platform === 'win32')('a command by the shell', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nat-tool-shell-'));
  const file = (name: string) => join(folder, name);
  const read = (name: string) => readFileSync(file(name), 'utf8');
  const written = async (name: string, text: string): Promise<void> => {
    while (read(name) !== text) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const out = (name: string) => {
    writeFileSync(file(name), '');
    return { OUT: file(name) };
  };
  const shell = new Shell();
  beforeAll(() => {
    vi.stubEnv('NAT_TOOL_CODE', 'secret');
    vi.stubEnv('NAT_TOOL_PASSWORD', 'secret');
    vi.stubEnv('NAT_TOOL_SERVER', 'stun.example.net');
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it('gets our environment and the variables, without our secrets', async () => {
    await shell.run('env > "$OUT"', out('env'), undefined);
    expect(read('env')).toContain('NAT_TOOL_SERVER=stun.example.net');
    expect(read('env')).not.toContain('secret');
  });

  it('tells its exit status, and null where a signal ended it', async () => {
    expect(await shell.run('exit 7', {}, undefined)).toBe(7);
    expect(await shell.run('kill -9 $$', {}, undefined)).toBeNull();
  });

  it('does not start when it is too late', async () => {
    expect(await shell.run('echo x > "$OUT"', out('late'), AbortSignal.abort())).toBeNull();
    expect(read('late')).toBe('');
  });

  /** The shell and a program that it started, which says when it is told to end. */
  const FAMILY = `(trap 'printf ended > "$OUT"; exit' TERM; printf ready > "$OUT"; while :; do sleep 0.05; done) & wait`;

  it('is ended with all that it started when the signal aborts', async () => {
    const stop = new AbortController();
    const status = shell.run(FAMILY, out('abort'), stop.signal);
    await written('abort', 'ready');
    stop.abort();
    expect(await status).toBeNull();
    await written('abort', 'ended');
  });

  it('is ended with us', async () => {
    const status = shell.run(FAMILY, out('end'), undefined);
    await written('end', 'ready');
    shell.end();
    expect(await status).toBeNull();
    await written('end', 'ended');
    expect(process.listeners('exit')).not.toContain(shell.end);
  });
});
