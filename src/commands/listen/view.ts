/** What `listen` heard, for people. */
import { type Block, forwardingGrid, note } from '../../render/block.ts';
import type { ForwardingRow } from '../../report/forwarding.ts';
import type { Report } from '../../report/report.ts';
import type { Look } from '../command.ts';
import { type DatagramEvent, mannerOf } from '../datagrams/output.ts';
import { type MappedPort, mappedInWords } from '../datagrams/mapping.ts';
import { bytesInWords } from '../datagrams/payload.ts';
import { seconds } from '../datagrams/seconds.ts';
import type { ListenEvent } from './listener.ts';
import type { Args } from './options.ts';

export interface Listened {
  readonly listening: readonly string[];
  readonly public: string | null;
  /** What the router opened with --map. */
  readonly mapped: MappedPort | null;
  readonly datagrams: number;
  readonly bytes: number;
  readonly senders: readonly { readonly address: string; readonly datagrams: number; readonly bytes: number }[];
  /** Datagrams from others than the first sender, without -k. */
  readonly ignored: number;
  /** Datagrams that standard output was too slow for. */
  readonly dropped: number;
  /** Datagrams that --echo did not send back. */
  readonly notEchoed: number;
  /** Other sides whose punch was answered. */
  readonly punched: readonly string[];
  readonly table: readonly ForwardingRow[];
}

function whyNew({ was, forgottenWithinMs }: Extract<ListenEvent, { event: 'public' }>): string {
  if (was === undefined) return '';
  return forgottenWithinMs === undefined
    ? `; it was ${was}, and had outlived as long a silence before: the router restarted, or the line has another address`
    : `; the NAT forgot ${was} after at most ${seconds(forgottenWithinMs, 'up')} s without a packet`;
}

export function inWords(event: Exclude<ListenEvent, DatagramEvent>): string {
  switch (event.event) {
    case 'listening':
      return `listening on ${event.addresses.join(' and ')}`;
    case 'public':
      return event.public === event.private
        ? `public side: ${event.public}, the same as the local one: there is no NAT`
        : `public side: ${event.private} | ${event.public} | ${event.remote}${whyNew(event)}`;
    case 'mapped':
      return mappedInWords(event);
    case 'held': {
      const s = seconds(event.everyMs, 'down');
      return event.kept
        ? `a packet every ${s} s holds it: the server is asked that often from now on`
        : `a packet every ${s} s would hold it: --keepalive ${s}`;
    }
    case 'punched':
      return `a punch of ${event.from} came in and was answered`;
    case 'echo':
      return `open both ways with ${event.remote}, which is a UDP echo server: our own datagram came back unchanged`;
    case 'open':
      return `open both ways with ${event.remote}, ${event.rttMs.toFixed(1)} ms`;
  }
}

export function view({ data }: Report<Listened>, args: Args, { terminal }: Look): Block[] {
  const blocks: Block[] = [];
  if (mannerOf('text', terminal, args) === 'lines' && data.table.length > 0) blocks.push(forwardingGrid(data.table));
  const by =
    data.senders.length === 1
      ? ` from ${data.senders[0]?.address}`
      : data.senders.length > 1
        ? ` from ${data.senders.length} senders`
        : '';
  blocks.push(note(`${data.datagrams} datagram${data.datagrams === 1 ? '' : 's'}, ${bytesInWords(data.bytes)}${by}.`));
  if (data.dropped > 0) blocks.push(note(`${data.dropped} more were dropped: standard output was read too slowly.`));
  if (data.notEchoed > 0)
    blocks.push(
      note(
        `${data.notEchoed} of them were not sent back: they came from a port of a known service, or too many from one source.`,
      ),
    );
  return blocks;
}
