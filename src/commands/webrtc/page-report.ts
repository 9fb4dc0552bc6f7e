/** The report as the page shows it: the terminal's own blocks, the notes, and a picture of the path. Pure. */
import { scopeOf } from '../../net/address.ts';
import { parseEndpoint } from '../../net/host-port.ts';
import type { Block } from '../../render/block.ts';
import type { Finding } from '../../report/finding.ts';
import type { WebrtcData } from './report.ts';
import { details, headline, view } from './view.ts';

interface Station {
  readonly title: string;
  readonly address?: string | undefined;
  readonly more?: string | undefined;
}

export interface PageReport {
  readonly headline: string;
  readonly good: boolean;
  /** How many of the five steps were done. */
  readonly done: number;
  readonly findings: readonly string[];
  readonly blocks: readonly Block[];
  /** For those who ask for them. */
  readonly details: readonly Block[];
  readonly picture: {
    readonly browser: Station;
    readonly browserNat: Station | null;
    readonly server: Station | null;
    readonly terminalNat: Station | null;
    readonly terminal: Station;
    readonly path: 'direct' | 'relay' | null;
  };
}

export function pageReport(data: WebrtcData, findings: readonly Finding[]): PageReport {
  const { selected, channel, cause, timing } = data;
  const steps = [timing.signallingMs, timing.iceMs, timing.dtlsMs, timing.channelMs];
  const done = steps.indexOf(null);
  return {
    headline: headline(data),
    good: cause === null && channel !== null,
    done: done >= 0 ? done : cause === null ? 5 : 4,
    findings: findings.map(({ text }) => text),
    blocks: view(data),
    details: details(data),
    picture: {
      browser: { title: 'This browser', address: hostOf(data.remote) },
      browserNat: natOf('NAT of the browser', data.remote, data),
      server: selected?.relayed
        ? { title: 'Relay', address: relayOf(data) }
        : data.servers[0] === undefined
          ? null
          : { title: 'STUN server', address: data.servers[0].replace(/^stun:/, '') },
      terminalNat: natOf('NAT of the terminal', data.local, data),
      terminal: { title: 'Terminal', address: hostOf(data.local) },
      path: cause !== null || !selected ? null : selected.relayed ? 'relay' : 'direct',
    },
  };
}

const hostOf = ({ candidates }: WebrtcData['local']): string | undefined => {
  const address = candidates.find(({ type }) => type === 'host')?.address;
  return address?.includes('.local:') ? 'address hidden' : address;
};

/** Where a path inside one network passes no NAT, none is drawn. */
function natOf(title: string, { candidates, nat }: WebrtcData['local'], { selected }: WebrtcData): Station | null {
  const mapped = candidates.find(({ type }) => type === 'srflx');
  if (!mapped || nat === 'none' || isInside(selected)) return null;
  const symmetric = nat === 'address-dependent' || nat === 'address-and-port-dependent';
  return {
    title,
    address: mapped.address,
    more: nat === null ? undefined : symmetric ? 'symmetric' : 'one mapping for all',
  };
}

function isInside(selected: WebrtcData['selected']): boolean {
  const at = selected && !selected.relayed ? parseEndpoint(selected.remote) : undefined;
  return at !== undefined && scopeOf(at.address) !== 'public';
}

const relayOf = ({ local, remote }: WebrtcData): string | undefined =>
  [...local.candidates, ...remote.candidates].find(({ type }) => type === 'relay')?.address;
