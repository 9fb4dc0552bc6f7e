/** The report of `punch` for people. */
import { type Block, fields, forwardingGrid, grid, text, toCopy } from '../../render/block.ts';
import type { Report } from '../../report/report.ts';
import type { Look } from '../command.ts';
import type { Args } from './options.ts';
import { localPortHint } from './other-side.ts';
import type { PunchReport } from './report.ts';

function sentence({ hole, peer, remote, sent }: PunchReport): string {
  switch (hole) {
    case 'open':
      return peer
        ? `Open both ways: ${peer.address} ${peer.kind === 'echo' ? 'sends back what it gets, as an echo server does,' : 'answers'} in ${peer.rttMs.toFixed(1)} ms${peer.address === remote ? '' : `, from another port than ${remote}`}.`
        : `Open both ways: ${remote} has heard our answer.`;
    case 'inbound':
      return `Packets from ${remote} arrive here, but none of ours was answered.`;
    case 'sent':
      return `${sent} packet${sent === 1 ? '' : 's'} went to ${remote}: what comes from there can now come in.`;
    case 'none':
      return `No hole to ${remote}: nothing came back.`;
  }
}

const TONES = { open: 'good', inbound: 'warn', sent: 'strong', none: 'bad' } as const;

export function view({ data }: Report<PunchReport>, { remote }: Args, { verbosity }: Look): Block[] {
  const own = data.table.filter(
    (row) => verbosity > 0 || row.remote === data.remote || row.remote === data.peer?.address,
  );
  const rows = own.length > 0 ? own : data.table;
  const blocks: Block[] = [];
  if (rows.length > 0) blocks.push(forwardingGrid(rows));
  blocks.push(text(sentence(data), TONES[data.hole]));
  if (data.otherSide && data.hole !== 'open')
    blocks.push(
      fields([
        ['Other side', toCopy(data.otherSide.punch)],
        ['or', toCopy(`echo hello | ${data.otherSide.send}`)],
      ]),
      text(localPortHint(remote)),
    );
  if (verbosity > 0 && data.stun.length > 0) {
    blocks.push(
      grid(
        ['Server', 'Address', 'Public side', { title: 'RTT ms', align: 'right' }, 'Error'],
        data.stun.map(({ server, address, mapped, rttMs, error }) => [
          server,
          address ?? '',
          mapped ?? '',
          rttMs === null ? '' : rttMs.toFixed(1),
          error ?? '',
        ]),
      ),
    );
  }
  return blocks;
}
