import { describe, expect, it } from 'vitest';
import type { Description } from '../../../src/connect/signalling/description.ts';
import { candidate, candidatesOf, isNear } from '../../../src/connect/traversal/candidates.ts';
import { candidatePriority } from '../../../src/ice/candidate.ts';
import { type Endpoint, formatEndpoint } from '../../../src/net/address.ts';
import { parseEndpoint } from '../../../src/net/host-port.ts';

const at = (text: string): Endpoint => parseEndpoint(text) as Endpoint;
const of = (hosts: string[], reflexive: string[]): Description => ({
  hosts: hosts.map(at),
  reflexive: reflexive.map(at),
  late: undefined,
  profile: undefined,
  aim: undefined,
});
const told = (description: Description, observed?: string) =>
  candidatesOf(description, observed === undefined ? undefined : at(observed)).map(
    ({ type, endpoint }) => `${type} ${formatEndpoint(endpoint)}`,
  );

describe('where the peer may be', () => {
  it('at home, where the server sees it, and where it says that servers see it, each once', () => {
    const description = of(['192.168.2.3:1', '[2001:db8::1]:2'], ['22.23.24.25:3', '22.23.24.26:3']);
    expect(told(description, '22.23.24.25:3')).toEqual([
      'host 192.168.2.3:1',
      'host [2001:db8::1]:2',
      'srflx 22.23.24.25:3',
      'srflx 22.23.24.26:3',
    ]);
    expect(told(description)).toEqual(told(description, '22.23.24.25:3'));
  });

  it('never at the wildcard, and at home only where that is not what the server sees', () => {
    expect(told(of(['0.0.0.0:1', '22.23.24.25:3'], []), '22.23.24.25:3')).toEqual(['srflx 22.23.24.25:3']);
  });

  it('each with a foundation and a priority of its own, the first of a kind before the next', () => {
    const all = candidatesOf(of(['192.168.2.3:1', '192.168.3.3:1'], ['22.23.24.25:3', '22.23.24.26:3']), undefined);
    expect(new Set(all.map(({ foundation }) => foundation)).size).toBe(4);
    const priorities = all.map(({ priority }) => priority);
    expect(priorities).toEqual([...priorities].sort((a, b) => b - a));
    expect(candidate('host', at('1.1.1.1:1'), 7)).toEqual({
      foundation: '7',
      component: 1,
      transport: 'udp',
      priority: candidatePriority('host'),
      endpoint: at('1.1.1.1:1'),
      type: 'host',
    });
  });

  it.each([
    ['192.168.2.3:9', true],
    ['169.254.1.1:9', true],
    ['127.0.0.1:9', true],
    // Not told, or not at home.
    ['192.168.2.4:9', false],
    ['22.23.24.25:9', false],
  ])('%s is on a network that is ours too: %s', (remote, near) => {
    const hosts = ['192.168.2.3:1', '169.254.1.1:1', '127.0.0.1:1', '22.23.24.25:1'];
    expect(isNear(at(remote), of(hosts, []))).toBe(near);
  });
});
