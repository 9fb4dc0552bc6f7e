import { describe, expect, it } from 'vitest';
import { firstAnswering, inTurn } from '../../src/connect/reach.ts';
import { createLab, type LabOptions } from '../../src/lab/topology.ts';
import { type Endpoint, formatEndpoint } from '../../src/net/address.ts';
import { parseEndpoint } from '../../src/net/host-port.ts';

const at = (text: string): Endpoint => parseEndpoint(text) as Endpoint;
const DEAD = at('40.30.20.99:3478');
const DEAD6 = at('[2001:db8:40::99]:3478');
const ALIVE = at('40.30.20.10:3478');

const first = (endpoints: readonly Endpoint[], options: LabOptions = {}, source?: string) =>
  createLab(options).run(async (env, signal) => {
    const start = env.clock.now();
    const found = await firstAnswering(env, endpoints, source, signal);
    return [found && formatEndpoint(found), env.clock.now() - start];
  });

describe('which address of a server is used', () => {
  it('the families in turn, as the resolver has them', () => {
    const all = ['[2001:db8::1]:1', '[2001:db8::2]:1', '1.1.1.1:1', '1.1.1.2:1'].map(at);
    expect(inTurn(all).map(({ address }) => address)).toEqual(['2001:db8::1', '1.1.1.1', '2001:db8::2', '1.1.1.2']);
    expect(inTurn([])).toEqual([]);
  });

  it('the first that answers, without waiting for the dead', async () => {
    expect(await first([ALIVE])).toEqual(['40.30.20.10:3478', 40]);
    expect(await first([DEAD, ALIVE])).toEqual(['40.30.20.10:3478', 290]);
    expect(await first([DEAD, DEAD6, ALIVE], { ipv6: 'open' })).toEqual(['40.30.20.10:3478', 540]);
  });

  it('at once where there is no way to the one before', async () => {
    expect((await first([DEAD6, ALIVE]))[0]).toBe('40.30.20.10:3478');
    expect(await first([DEAD6, ALIVE], {}, '192.168.1.3')).toEqual(['40.30.20.10:3478', 40]);
  });

  it('also one that answers with an error: it is there', async () => {
    const servers = [{ name: 'stun.example.net', addresses: ['40.30.20.10'], faults: ['error' as const] }];
    expect((await first([DEAD, ALIVE], { servers }))[0]).toBe('40.30.20.10:3478');
  });

  it('none where none answers', async () => {
    expect(await first([])).toEqual([undefined, 0]);
    expect((await first([DEAD, at('40.30.20.98:3478')]))[0]).toBeUndefined();
    expect(await first([DEAD6])).toEqual([undefined, expect.any(Number)]);
  });
});
