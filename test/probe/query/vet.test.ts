import { describe, expect, it } from 'vitest';
import { createLab } from '../../../src/lab/topology.ts';
import type { Endpoint } from '../../../src/net/address.ts';
import { vet } from '../../../src/probe/query/vet.ts';
import { attribute } from '../../../src/stun/attributes.ts';
import { SERVER, scriptedServer, success } from '../scripted-server.ts';

async function vetted(other: Endpoint | undefined) {
  const lab = createLab();
  let requests = 0;
  scriptedServer(lab, (request, from) => {
    requests++;
    return success(request, from, ...(other ? [attribute('OTHER-ADDRESS', other)] : []));
  });
  const vetting = await lab.run((env, signal) => vet(env, SERVER, { timeoutMs: 1500 }, signal));
  return { ...vetting, requests };
}

describe('a server with an OTHER-ADDRESS that serves nobody', () => {
  it.each([
    ['none', undefined, 'It names no OTHER-ADDRESS.'],
    ['the same IP', { address: SERVER.address, port: 3479 }, /same IP address/],
    ['the same port', { address: '51.0.0.2', port: SERVER.port }, /same port/],
    ['another family', { address: '2001:db8::1', port: 3479 }, /another address family/],
    ['port 0', { address: '51.0.0.2', port: 0 }, /cannot be reached/],
    ['the wildcard', { address: '0.0.0.0', port: 3479 }, /cannot be reached/],
    ['a private address', { address: '10.0.0.2', port: 3479 }, /cannot be reached/],
  ] as const)('is told so after one exchange: %s', async (_, other, reason) => {
    const { rfc5780, reason: said, requests } = await vetted(other);
    expect(rfc5780).toBe('no');
    expect(said).toMatch(reason);
    expect(requests).toBe(1);
  });
});
