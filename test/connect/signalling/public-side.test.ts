import { describe, expect, it } from 'vitest';
import { askPublicSide, type PublicSideAnswer } from '../../../src/connect/signalling/public-side.ts';
import { LOGIN } from '../../../src/lab/faults/referrals.ts';
import { createLab, DEFAULT_SERVER, type LabOptions } from '../../../src/lab/topology.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import type { Credentials } from '../../../src/stun/client.ts';
import { StunMux } from '../../../src/stun/mux.ts';

const server: Endpoint = { address: '40.30.20.10', port: 3478 };

const ask = (options: LabOptions, credentials?: Credentials, remote?: Endpoint): Promise<PublicSideAnswer> =>
  createLab(options).run(async (env, signal) => {
    const socket = await env.udp.open({ family: 4, remote });
    try {
      return await askPublicSide(new StunMux(socket), { ...env, server, credentials, waitMs: 1_000 }, signal);
    } finally {
      socket.close();
    }
  });
const spec = (over: object): LabOptions => ({ servers: [{ ...DEFAULT_SERVER, ...over }] });

describe('the public side by any STUN server', () => {
  it('is what it saw, with its other addresses and the time that it took', async () => {
    expect(await ask({})).toEqual({
      kind: 'observed',
      observed: {
        mapped: { address: '12.13.14.15', port: 24_604 },
        alternates: [
          { address: '40.30.20.10', port: 3479 },
          { address: '40.30.20.11', port: 3479 },
        ],
        rttMs: 40,
      },
    });
  });

  it.each([
    ['silent', { state: 'dead' }, { kind: 'silent' }],
    ['useless', { faults: ['no-mapped-address'] }, { kind: 'useless' }],
    ['useless', { faults: ['unknown-attribute'] }, { kind: 'useless' }],
    ['refused', { faults: ['error'] }, { kind: 'refused', code: 500 }],
    ['refused', { faults: ['wants-login'] }, { kind: 'refused', code: 401, reason: 'Unauthorized' }],
  ])('%s: %j', async (_, over, trouble) => {
    expect(await ask(spec(over))).toMatchObject(trouble);
  });

  it('is told to those who log in', async () => {
    const { username, password } = LOGIN;
    const side = await ask(spec({ faults: ['wants-login'] }), { kind: 'long-term', username, password });
    expect(side.kind).toBe('observed');
  });

  it('has the error of the network where there is one', async () => {
    const side = await ask(spec({ state: 'closed' }), undefined, server);
    expect(side).toMatchObject({ kind: 'network', error: { kind: 'refused' } });
  });
});
