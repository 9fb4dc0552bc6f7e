import { FAMILY, PORT, SOURCE, TIMEOUT, parseHost } from '../../src/commands/arguments.ts';
import { defineCommand } from '../../src/commands/command.ts';
import { fields, forwardingGrid, heading } from '../../src/render/block.ts';
import { startReport } from '../../src/report/report.ts';

/** A small command for the tests of the command line: it answers from its arguments. */
export const sample = defineCommand({
  name: 'sample',
  summary: 'try the command line',
  description: ['Answers from its arguments alone.'],
  positionals: { server: { array: true, joinPort: true, parse: parseHost, describe: 'servers to name' } },
  options: {
    family: FAMILY,
    port: PORT,
    source: SOURCE,
    timeout: { ...TIMEOUT, default: '2' },
    count: { type: 'number', alias: 'c', describe: 'how many', default: 1 },
    mode: { type: 'string', choices: ['fast', 'slow'], describe: 'how' },
    udp: { type: 'boolean', alias: 'u', describe: 'for fingers', hidden: true },
    tag: { type: 'string', array: true, describe: 'a word' },
  },
  examples: [{ command: 'nat-tool sample -c 2 192.0.2.1 3478', explain: 'name one server' }],
  async run(args, context) {
    const finish = startReport(context.env.clock, 'nat-tool/sample@1');
    const hosts: string[] = args.server.map((server) => server.host);
    const mode: 'fast' | 'slow' | undefined = args.mode;
    const timeout: number = args.timeout;
    const family: 4 | 6 | undefined = args.family;
    return finish('complete', {
      hosts,
      mode: mode ?? null,
      timeout,
      family: family ?? null,
      table: [{ private: '192.168.1.3:42301', public: '12.13.14.15:24604', remote: '40.30.20.10:3478' }],
    });
  },
  view: (report) => [
    heading('Sample'),
    fields([['hosts', report.data.hosts.join(' ')]]),
    forwardingGrid(report.data.table),
  ],
  short: (report) => report.data.hosts.join(' '),
  exitStatus: (report, args) => (report.data.hosts.length >= args.count ? 0 : 1),
});
