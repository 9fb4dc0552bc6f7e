/** What kernel tests and benchmarks need of their machine. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { environment, PATH } from './environment.ts';
import { sweepStale, uniquePrefix } from './names.ts';

export type Tool =
  | 'ip'
  | 'nft'
  | 'tc'
  | 'ssh'
  | 'ssh-keygen'
  | 'sshd'
  | 'conntrack'
  | 'turnserver'
  | 'miniupnpd'
  | 'stun'
  | 'turnutils_natdiscovery'
  | 'turnutils_uclient'
  | 'turnutils_peer'
  | 'openssl'
  | 'chromium'
  | 'nc'
  | 'socat'
  | 'hping3'
  | 'dnsmasq'
  | 'script'
  | 'unshare'
  | 'mosquitto'
  | 'nat-tool';

/** What the bin loads; `npm ci` builds it. */
const BUNDLE = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

const installed = (tool: string): boolean =>
  PATH.some((directory) => {
    try {
      accessSync(join(directory, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** The things among `tools` that are missing here, root and a kernel with namespaces and NAT included, in words. */
export function missing(tools: readonly Tool[]): string[] {
  if (process.platform !== 'linux') return ['Linux'];
  if (process.getuid?.() !== 0) return ['root'];
  const needed: Tool[] = [...new Set<Tool>(['ip', 'nft', 'conntrack', ...tools])];
  const absent: string[] = needed.filter((tool) => tool !== 'nat-tool' && !installed(tool));
  if (needed.includes('nat-tool') && !existsSync(BUNDLE)) absent.push('the built command line (npm run build)');
  return absent.length > 0 ? absent : kernelLacks();
}

/** Tries what every test does: a namespace, and a NAT rule in it. */
function kernelLacks(): string[] {
  sweepStale();
  const name = `${uniquePrefix()}-try`;
  const run = (command: string, args: string[], input?: string) =>
    spawnSync(command, args, { env: environment, input, encoding: 'utf8' });
  try {
    if (run('ip', ['netns', 'add', name]).status !== 0) return ['network namespaces'];
    const ruleset = 'table ip nat { chain post { type nat hook postrouting priority 100; masquerade; }; }';
    const nat = run('ip', ['netns', 'exec', name, 'nft', '-f', '-'], ruleset);
    return nat.status === 0 ? [] : [`nftables NAT in the kernel (${nat.stderr.trim().split('\n')[0]})`];
  } finally {
    run('ip', ['netns', 'del', name]);
  }
}
