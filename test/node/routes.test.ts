import { describe, expect, it } from 'vitest';
import type { InterfaceAddress } from '../../src/net/env.ts';
import { nodeGateways } from '../../src/node/gateways.ts';
import { bsdGateway, linuxGateways, linuxGateways6, windowsGateways, windowsGateways6 } from '../../src/node/routes.ts';

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT   \n';
const ETHERNET = 'eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0   \n';
const WIFI = 'wlan0\t00000000\t0100000A\t0003\t0\t0\t600\t00000000\t0\t0\t0   \n';
const LAN = 'eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0   \n';

describe('/proc/net/route', () => {
  it('names the router, the lower metric first', () => {
    expect(linuxGateways(HEAD + WIFI + LAN + ETHERNET, 'LE')).toEqual([
      { family: 4, address: '192.168.1.1', interface: 'eth0' },
      { family: 4, address: '10.0.0.1', interface: 'wlan0' },
    ]);
  });

  it('is printed in the order of the bytes in this machine', () => {
    expect(linuxGateways(`${HEAD}eth0\t00000000\tC0A80101\t0003\t0\t0\t0\t00000000\t0\t0\t0\n`, 'BE')).toEqual([
      { family: 4, address: '192.168.1.1', interface: 'eth0' },
    ]);
  });

  it('has the two halves of a VPN before the whole, and an interface that leads out by itself', () => {
    const halves =
      'tun0\t00000000\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0\ntun0\t00000080\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0\n';
    const wireguard = 'wg0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n';
    expect(linuxGateways(HEAD + ETHERNET + wireguard + halves, 'LE')).toEqual([
      { family: 4, address: '10.8.0.1', interface: 'tun0' },
      { family: 4, address: undefined, interface: 'wg0' },
      { family: 4, address: '192.168.1.1', interface: 'eth0' },
    ]);
  });

  it('has none where nothing leads out, or only into nothing', () => {
    const unreachable = '*\t00000000\t00000000\t0201\t0\t0\t4000\t00000000\t0\t0\t0\n';
    expect(linuxGateways(HEAD + LAN + unreachable, 'LE')).toEqual([]);
    for (const broken of ['', 'no table', `${HEAD}eth0\t00000000\tXX\n`, `${HEAD}eth0\tz\tz\t0003\t0\t0\t0\t00000000`])
      expect(linuxGateways(broken, 'LE')).toEqual([]);
  });
});

describe('/proc/net/ipv6_route', () => {
  const ZERO = '0'.repeat(32);
  const route = (hop: string, metric: string, flags: string, name: string): string =>
    `${ZERO} 00 ${ZERO} 00 ${hop} ${metric} 00000002 00000000 ${flags} ${name.padStart(8)}\n`;

  it('names the routers, a link-local one with its zone', () => {
    const text =
      `fe80${'0'.repeat(28)} 40 ${ZERO} 00 ${ZERO} 00000100 00000002 00000000 00000001     eth0\n` +
      route('fd000000000000000000000000000001', '00000800', '00000003', 'eth0') +
      route('fe800000000000000000000000000001', '00000400', '00000003', 'wlan0') +
      route(ZERO, 'ffffffff', '00200200', 'lo');
    expect(linuxGateways6(text)).toEqual([
      { family: 6, address: 'fe80::1%wlan0', interface: 'wlan0' },
      { family: 6, address: 'fd00::1', interface: 'eth0' },
    ]);
  });

  it('has none where there is none', () => {
    expect(linuxGateways6(route(ZERO, 'ffffffff', '00200200', 'lo'))).toEqual([]);
    expect(linuxGateways6('')).toEqual([]);
  });
});

describe('route -n get default', () => {
  it('names router and interface', () => {
    const text = `   route to: default
destination: default
       mask: default
    gateway: 192.168.1.1
  interface: en0
      flags: <UP,GATEWAY,DONE,STATIC,PRCLONING,GLOBAL>
 recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire
       0         0         0         0         0         0      1500         0
`;
    expect(bsdGateway(text, 4)).toEqual([{ family: 4, address: '192.168.1.1', interface: 'en0' }]);
  });

  it('keeps the zone of a link-local router', () => {
    const text =
      '   route to: ::\ndestination: ::\n       mask: default\n    gateway: fe80::1%en0\n  interface: en0\n      flags: <UP,GATEWAY,DONE>\n';
    expect(bsdGateway(text, 6)).toEqual([{ family: 6, address: 'fe80::1%en0', interface: 'en0' }]);
  });

  it('has no router on a tunnel, and nothing where there is no route', () => {
    const tunnel = '   route to: default\ndestination: default\n  interface: utun3\n      flags: <UP,DONE,CLONING>\n';
    expect(bsdGateway(tunnel, 4)).toEqual([{ family: 4, interface: 'utun3' }]);
    expect(bsdGateway('route: writing to routing socket: not in table\n', 4)).toEqual([]);
  });
});

const WINDOWS: InterfaceAddress[] = [
  { name: 'Ethernet', address: '192.168.1.3', family: 4, prefixLength: 24, internal: false },
  { name: 'Ethernet', address: 'fe80::3%17', family: 6, prefixLength: 64, internal: false },
  { name: 'OpenVPN', address: '10.8.0.2', family: 4, prefixLength: 24, internal: false },
];

describe('route print', () => {
  const print = (active: string): string =>
    `===========================================================================
Interface List
 17...00 15 5d 01 02 03 ......Microsoft Hyper-V Network Adapter
===========================================================================

IPv4 Route Table
===========================================================================
Active Routes:
Network Destination        Netmask          Gateway       Interface  Metric
${active}
        127.0.0.0        255.0.0.0         On-link         127.0.0.1    331
===========================================================================
Persistent Routes:
  Network Address          Netmask  Gateway Address  Metric
          0.0.0.0          0.0.0.0    192.168.1.254  Default
          0.0.0.0          0.0.0.0    192.168.1.254       1
===========================================================================
`.replaceAll('\n', '\r\n');

  it('names router and interface, the lower metric first', () => {
    const active = `          0.0.0.0          0.0.0.0      192.168.2.1      192.168.2.9     35
          0.0.0.0          0.0.0.0      192.168.1.1      192.168.1.3     25`;
    expect(windowsGateways(print(active), WINDOWS)).toEqual([
      { family: 4, address: '192.168.1.1', interface: 'Ethernet' },
      { family: 4, address: '192.168.2.1', interface: '192.168.2.9' },
    ]);
  });

  it('knows a route on the link in any language, and the halves of a VPN', () => {
    const active = `          0.0.0.0          0.0.0.0   Auf Verbindung          10.8.0.2      5
          0.0.0.0        128.0.0.0         10.8.0.1         10.8.0.2    281
        128.0.0.0        128.0.0.0         10.8.0.1         10.8.0.2    281`;
    expect(windowsGateways(print(active), WINDOWS)).toEqual([
      { family: 4, address: '10.8.0.1', interface: 'OpenVPN' },
      { family: 4, address: undefined, interface: 'OpenVPN' },
    ]);
  });

  it('gives an IPv6 router its zone, which is a number', () => {
    const text = `IPv6 Route Table
Active Routes:
 If Metric Network Destination      Gateway
 17    281 ::/0                     fe80::1
  1    331 ::1/128                  On-link
Persistent Routes:
 If Metric Network Destination      Gateway
  0 4294967295 ::/0                 fe80::9
`;
    expect(windowsGateways6(text, WINDOWS)).toEqual([{ family: 6, address: 'fe80::1%17', interface: 'Ethernet' }]);
  });

  it('has none in words', () => {
    expect(windowsGateways('Der Befehl ist falsch geschrieben.', WINDOWS)).toEqual([]);
    expect(windowsGateways6('', WINDOWS)).toEqual([]);
  });
});

describe('this machine', () => {
  it('tells addresses that are none of its own', async () => {
    for (const { address, family } of await nodeGateways())
      expect(address === undefined || address.includes(':') === (family === 6)).toBe(true);
  });

  it('is not asked by somebody who has given up', async () => {
    const reason = new Error('enough');
    await expect(nodeGateways(AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
