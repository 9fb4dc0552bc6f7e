import { describe, expect, it } from 'vitest';
import { createLab } from '../../src/lab/topology.ts';
import { watchRefusal } from '../../src/stun/refusal.ts';

const REMOTE = { address: '51.0.0.1', port: 3478 };

const told = async (remote: typeof REMOTE, endAfterMs = 1000) => {
  const lab = createLab();
  lab.addHost('S', [REMOTE.address]);
  const kinds: string[] = [];
  await lab.run(async (env) => {
    const end = watchRefusal(env, remote, undefined, ({ kind }) => kinds.push(kind));
    await new Promise<void>((resolve) => env.clock.after(endAfterMs, resolve));
    end();
    await new Promise<void>((resolve) => env.clock.after(1000, resolve));
  });
  return kinds;
};

describe('the watch for a closed port', () => {
  it('tells once of ICMP port unreachable, and frees its socket', async () => {
    expect(await told(REMOTE)).toEqual(['refused']);
  });

  it('tells nothing of a server that answers, of no route, nor after its end', async () => {
    expect(await told({ address: '40.30.20.10', port: 3478 })).toEqual([]);
    expect(await told({ address: '2001:db8::1', port: 3478 })).toEqual([]);
    expect(await told(REMOTE, 1)).toEqual([]);
  });
});
