/** Namespace names that say whose they are, so that whatever a killed run left behind is found and removed. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { environment } from './environment.ts';

const NAME = /^natt-(\d+)-/;

/** `natt-<pid>-<random>`: unique for each internet that a process builds. */
export const uniquePrefix = (): string => `natt-${process.pid}-${randomBytes(3).toString('hex')}`;

const namespaces = (): string[] => {
  try {
    return readdirSync('/run/netns');
  } catch {
    return [];
  }
};

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const ip = (...args: string[]) => spawnSync('ip', args, { env: environment, encoding: 'utf8' });

/** Ends every process in a namespace of ours and removes it. Synchronous: it also runs while the process exits. */
function remove(name: string): void {
  for (const pid of ip('netns', 'pids', name).stdout.split('\n').map(Number)) {
    if (pid > 1 && pid !== process.pid) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone by itself meanwhile.
      }
    }
  }
  ip('netns', 'del', name);
}

/** Removes the namespaces of runs that no longer live. */
export function sweepStale(): void {
  for (const name of namespaces()) {
    const pid = Number(NAME.exec(name)?.[1]);
    if (pid > 0 && !alive(pid)) remove(name);
  }
}

/** Names to remove when this process ends, however it ends (short of SIGKILL, after which the next run sweeps). */
const held = new Set<string>();
const removeAll = () => {
  for (const name of held) remove(name);
  held.clear();
};

export function hold(name: string): void {
  if (held.size === 0 && !process.listeners('exit').includes(removeAll)) {
    process.on('exit', removeAll);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        removeAll();
        process.kill(process.pid, signal);
      });
    }
  }
  held.add(name);
}

export function release(name: string): void {
  if (held.delete(name)) remove(name);
}
