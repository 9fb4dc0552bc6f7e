import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Router } from './internet.ts';
import type { Running } from './process.ts';

export interface PortControlDaemon {
  readonly process: Running;
  stop(): Promise<void>;
}

export interface DaemonOptions {
  /** UPnP, or PCP and NAT-PMP, which share one port; both when absent. */
  readonly speaks?: 'upnp' | 'pcp' | undefined;
  /** It permits nobody. */
  readonly refuses?: boolean | undefined;
}

/** Its chains, hooked beside the NAT's own, which they go before. */
const CHAINS = `table inet miniupnpd {
  chain open { }
  chain pre { }
  chain post { }
  chain forward { type filter hook forward priority filter; policy accept; jump open; }
  chain prerouting { type nat hook prerouting priority dstnat - 5; policy accept; jump pre; }
  chain postrouting { type nat hook postrouting priority srcnat - 5; policy accept; jump post; }
}`;

/** Starts miniupnpd on a site's router, in the foreground, and waits until it listens. A second one on the same router is a restart: the chains stay, empty. */
export async function startMiniupnpd(router: Router, options: DaemonOptions = {}): Promise<PortControlDaemon> {
  const { speaks, refuses = false } = options;
  const directory = mkdtempSync(join(tmpdir(), 'nat-tool-miniupnpd-'));
  await router.run(['nft', 'delete', 'table', 'inet', 'miniupnpd']);
  await router.must(['nft', '-f', '-'], { stdin: CHAINS });
  const config = join(directory, 'conf');
  writeFileSync(
    config,
    [
      'ext_ifname=wan',
      'listening_ip=lan',
      `enable_upnp=${speaks === 'pcp' ? 'no' : 'yes'}`,
      `enable_natpmp=${speaks === 'upnp' ? 'no' : 'yes'}`,
      'secure_mode=yes',
      'min_lifetime=4',
      'uuid=8b0d1e52-3f86-4b35-9c8d-4a5e7a0f2c11',
      'upnp_table_name=miniupnpd',
      'upnp_nat_table_name=miniupnpd',
      'upnp_forward_chain=open',
      'upnp_nat_chain=pre',
      'upnp_nat_postrouting_chain=post',
      ...(refuses ? ['deny 0-65535 0.0.0.0/0 0-65535'] : ['allow 1-65535 0.0.0.0/0 1-65535']),
      '',
    ].join('\n'),
  );
  const process = router.start(['miniupnpd', '-d', '-f', config, '-P', join(directory, 'pid')]);
  const stop = async (): Promise<void> => {
    await process.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await process.until(speaks === 'pcp' ? /Listening for NAT-PMP\/PCP/ : /HTTP listening on port/);
  } catch (error) {
    await stop();
    throw error;
  }
  return { process, stop };
}
