/** The examples of help and man pages, executed in the simulated network: none of them is misuse, and none fails in a way that its text does not tell. */
import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/topology.ts';
import listen from '../../src/commands/listen/listen.ts';
import publicIp from '../../src/commands/public-ip/public-ip.ts';
import punch from '../../src/commands/punch/punch.ts';
import send from '../../src/commands/send/send.ts';
import { shellWords } from '../transcripts/transcript.ts';
import { run, webServer } from '../commands/worlds.ts';

/** The command itself, without what the shell does around it. */
function own(command: string): { readonly words: string; readonly stdin: string } {
  const words =
    /nat-tool .*$/
      .exec(command)?.[0]
      .replace(/ [<>] \S+$/, '')
      .replace(/\)$/, '') ?? expect.fail(`no command of ours: ${command}`);
  return { words, stdin: /^echo "(.*)" \|/.exec(command)?.[1] ?? 'a\nb\n' };
}

describe.each([listen, publicIp, punch, send])('$name', (command) => {
  it.each(command.examples.map((example) => example.command))('%s', async (example) => {
    const names = Object.fromEntries(
      ['stun1.example.net', 'stun2.example.net', 'stun.cloudflare.com'].map((name) => [name, ['40.30.20.10']]),
    );
    const lab = createLab({ patienceMs: 60_000, names: { ...names, 'ip.example.net': ['42.0.0.1'] } });
    lab.addHost('R', ['40.30.20.99']);
    lab.addHost('W', ['42.0.0.1']);
    lab.serve('W', (env) => webServer(env, '42.0.0.1', 443, 'HTTP/1.1 200 OK\r\n\r\n$IP\n'));
    lab.system('W').tcp.certificates.add('ip.example.net');
    const { words, stdin } = own(example);
    const { argv } = shellWords(words, {});
    const result = await lab.run((env, signal) => run(argv, { env, signal, stdin }), { abortAtMs: 400_000 });
    expect([2, 70], result.stderr).not.toContain(result.status);
  });
});
