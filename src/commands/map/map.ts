import { startReport } from '../../report/report.ts';
import { type Context, defineCommand } from '../command.ts';
import { hold, type MapEvent } from './hold.ts';
import { options, portOf, positionals } from './options.ts';
import type { MapData } from './report.ts';
import { list, remove } from './upkeep.ts';
import { view } from './view.ts';

export default defineCommand({
  name: 'map',
  summary: 'open a port in the router: PCP, NAT-PMP or UPnP',
  description: [
    'Asks the router by PCP (RFC 6887), NAT-PMP (RFC 6886) and UPnP at once to let everybody in at a port, tries from outside whether it does, and holds it open until interrupted: renewed at half its life, asked for again when the router has restarted, removed at the end. That there is no such router is known within 1.2 s. Where an interface leads out by itself, the PCP server on the way is asked (192.0.0.9, RFC 7723).',
    'The router may give another port than the one asked for: what it gives is shown. Whether it is true is tried: a STUN server with two addresses, or with RESPONSE-PORT (nat-tool serve has it), sends to the public side while the port itself has sent to nobody. Only what comes in proves it open.',
    'A mapping that belongs to another host or program is never overwritten. Where the router is itself behind another NAT (CGNAT) the port cannot be reached from the internet, and that is said.',
  ],
  positionals,
  options,
  examples: [
    { command: 'nat-tool map -p 12001', explain: 'Open UDP port 12001 until Ctrl-C' },
    { command: 'nat-tool map -p 8080 --tcp --for 3600', explain: 'A TCP port, for an hour' },
    { command: 'nat-tool map -p 12001 --json', explain: 'One JSON event a line, the report last' },
    { command: 'nat-tool map --list', explain: 'What the router holds for this network' },
    { command: 'nat-tool map -p 12001 --remove', explain: 'Close what some program left open' },
  ],
  notes: [
    {
      title: 'Security',
      paragraphs: [
        'Only the router is believed: what claims to be one from another address is counted and left alone, and a description that leads elsewhere is asked for at the router alone. Its answers are bounded in size (64 kB) and time, and its XML may define nothing. A port opened so is open to the whole internet, for any program that listens on it.',
      ],
    },
  ],
  seeAlso: ['listen', 'punch', 'connect'],
  exitMeanings: {
    0: 'mapped, and not seen to be closed; with --list or --remove, done',
    1: 'no router opened it, or it is closed all the same',
  },
  run: async (args, context: Context<MapEvent>) => {
    const port = portOf(args);
    const finish = startReport(context.env.clock, 'nat-tool/map@1');
    if (args.list || port === undefined) {
      const { data, findings } = await list(args, context);
      return finish<MapData>('complete', data, findings);
    }
    if (args.remove) {
      const { data, findings } = await remove(args, port, context);
      return finish<MapData>('complete', data, findings);
    }
    const { outcome, data, findings } = await hold(args, port, context);
    return finish<MapData>(outcome, data, findings);
  },
  view,
  short: ({ data }) =>
    'mappings' in data ? String(data.mappings?.length ?? 'unknown') : 'port' in data ? data.removed : '',
  streams: ({ list, remove }) => !list && !remove,
  exitStatus: ({ data }) => {
    if ('mappings' in data) return data.mappings ? 0 : 1;
    if ('port' in data) return data.removed === 'yes' ? 0 : 1;
    return data.protocol === null || data.open === 'no' ? 1 : 0;
  },
});
