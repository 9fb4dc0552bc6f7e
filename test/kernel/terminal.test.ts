/** Terminals as they are met in the wild: pseudo-terminals of odd widths. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { run, start } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin } from './tool.ts';

describeKernel('on a terminal', ['nat-tool', 'script'], () => {
  let silent: Socket;
  let port: number;
  beforeEach(async () => {
    silent = createSocket('udp4').bind(0, '127.0.0.1');
    await once(silent, 'listening');
    port = silent.address().port;
  });
  afterEach(() => silent.close());

  /** A command line of the tool on a terminal of this width. */
  const on = (columns: number, ...args: string[]): string[] => [
    'script',
    '-qec',
    `stty cols ${columns} rows 24; exec node ${bin} ${args.join(' ')}`,
    '/dev/null',
  ];
  const ask = (timeout: number): string[] => ['stun', '-w', String(timeout), `127.0.0.1:${port}`];

  // As docker and CI give them: a library that divides by the width draws without end.
  it('of 0 columns nothing is drawn, and -w ends it', async () => {
    const { code, stdout } = await run(undefined, on(0, ...ask(1)), { env: { TERM: 'xterm', CI: undefined } });
    expect(code).toBe(1);
    expect(stdout).toContain('No answer over UDP');
    expect(stdout).not.toContain('\u001b[?25l');
    expect(stdout.length).toBeLessThan(2000);
  });

  it.each([0, 80])('of %i columns Ctrl-C ends it', async (columns) => {
    const running = start(undefined, on(columns, ...ask(600)), { env: { TERM: 'xterm', CI: undefined } });
    await once(silent, 'message');
    running.write('\u0003');
    const { code, stdout } = await running.finished;
    expect(code).toBe(130);
    expect(stdout).toContain('Interrupted');
    expect(stdout).not.toMatch(/\^C[^\u001b\r\n]/);
  });

  it('two that talk: Ctrl-D on one ends both, and each sees how it went', async () => {
    const server = start(undefined, ['node', bin, 'serve', '--json', '-s', '127.0.0.1', '-p', String(port + 1)]);
    await server.until(/"listening"/);
    const code = (await run(undefined, ['node', bin, 'connect', '--generate'])).stdout.trim();
    const words = ['connect', code, '--server', `127.0.0.1:${port + 1}`];
    const [one, other] = [1, 2].map(() => start(undefined, on(100, ...words), { env: { TERM: 'xterm', CI: '1' } }));
    if (!one || !other) throw new Error('not started');
    await Promise.all([one.until(/Ctrl-D ends it/), other.until(/Ctrl-D ends it/)]);
    one.write('from one\n');
    other.write('from the other\n');
    await Promise.all([one.until(/bytes.*from the other/), other.until(/bytes.*from one/)]);
    one.write('\u0004');
    const [left, right] = await Promise.all([one.finished, other.finished]);
    expect([left.code, right.code]).toEqual([0, 0]);
    expect(right.stdout).toContain('has ended the chat');
    for (const { stdout } of [left, right]) {
      expect(stdout).toMatch(/Private side +\S* *Public side/);
      expect(stdout).toMatch(/all confirmed/);
    }
    await server.stop();
  });

  it('two that paste tokens: what is pasted stands alone on its line, and Ctrl-D on one ends both', async () => {
    const server = start(undefined, ['node', bin, 'serve', '--json', '-s', '127.0.0.1', '-p', String(port + 1)]);
    await server.until(/"listening"/);
    const words = ['connect', '--manual', '--stun', `127.0.0.1:${port + 1}`];
    const env = { TERM: 'xterm', CI: undefined };
    const [one, other] = [1, 2].map(() => start(undefined, on(200, ...words), { env }));
    if (!one || !other) throw new Error('not started');
    const token = /nt3\.[\w-]+(?=\r?\n)/;
    const [ours, theirs] = [await one.until(token), await other.until(token)].map((found) => found[0]);
    one.write(`${theirs}\n`);
    other.write(`${ours}\n`);
    await Promise.all([one.until(/Ctrl-D ends it/), other.until(/Ctrl-D ends it/)]);
    one.write('from one\n');
    await other.until(/bytes.*from one/);
    one.write('\u0004');
    const [left, right] = await Promise.all([one.finished, other.finished]);
    expect([left.code, right.code]).toEqual([0, 0]);
    expect(right.stdout).toContain('has ended the chat');
    expect(left.stdout).not.toMatch(/[^\r\n]+waiting[^\r\n]*nt3\./);
    await server.stop();
  });
});
