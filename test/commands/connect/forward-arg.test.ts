import { expect, it } from 'vitest';
import { parseForward } from '../../../src/commands/connect/forward-arg.ts';
import { formatEndpoint } from '../../../src/net/address.ts';

it.each([
  ['51820', 'udp', 51_820, '127.0.0.1:51820'],
  ['22/tcp', 'tcp', 22, '127.0.0.1:22'],
  ['2222:22/TCP', 'tcp', 22, '127.0.0.1:2222'],
  ['192.168.1.3:51820/udp', 'udp', 51_820, '192.168.1.3:51820'],
  ['localhost:80/tcp', 'tcp', 80, '127.0.0.1:80'],
  ['192.168.1.3:8080:80/tcp', 'tcp', 80, '192.168.1.3:8080'],
  ['[::1]:80/tcp', 'tcp', 80, '[::1]:80'],
  ['[::1]:8080:80', 'udp', 80, '[::1]:8080'],
])('%s', (text, protocol, port, local) => {
  const parsed = parseForward(text, '--forward');
  expect([parsed.protocol, parsed.port, formatEndpoint(parsed.local)]).toEqual([protocol, port, local]);
});

it.each(['', '0', '70000', '22/sctp', 'x:22', '70000:22', 'example.net:22', ':22', '22:'])('not %s', (text) => {
  expect(() => parseForward(text, '--forward')).toThrow(/--forward/);
});
