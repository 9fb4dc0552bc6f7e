/** The tutorial in kernel namespaces: C1 behind a NAT, R on the public internet; with nat-tool alone, and with nc and hping3 in either part. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Row, sorted } from './conntrack.ts';
import { type Host, Internet, type Router, type Site, type SiteOptions } from './internet.ts';
import type { Running } from './process.ts';
import { describeKernel } from './suite.ts';
import { bin, natTool, report, startServe } from './tool.ts';

const STUN = '40.30.20.10:3478';
const R = '50.60.70.80';
/** A name that no text could be taken for, and bytes that are no text. */
const PAYLOAD = '75647020686f6c65000aff80c3280d0a';
const hex = (bytes: string): Buffer => Buffer.from(bytes, 'hex');

const unique = (rows: readonly Row[]): Row[] =>
  sorted([...new Map(rows.map((row) => [JSON.stringify(row), row])).values()]);
/** Assumed or seen: the kernel knows whether it is so. */
const rowsOf = (value: unknown): Row[] =>
  unique((value as Row[]).map((row) => ({ private: row.private, public: row.public, remote: row.remote })));

/** Asks again and again; what never comes is the runner's to end. */
async function eventually(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

describeKernel('the tutorial', ['nat-tool', 'nc', 'hping3'], () => {
  let internet: Internet;
  let server: Running;
  let remote: Host;
  let sites = 0;
  const directory = mkdtempSync(join(tmpdir(), 'nat-tool-tutorial-'));

  beforeAll(async () => {
    internet = await Internet.create();
    server = await startServe(await internet.host('s', ['40.30.20.10', '40.30.20.11']));
    remote = await internet.host('r', [R]);
  });
  afterAll(async () => {
    await server?.stop();
    internet?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const site = (options: SiteOptions): Promise<Site> => internet.site(`t${sites++}`, options);
  const own = async (router: Router, port: number): Promise<Row[]> =>
    unique((await router.table()).filter((row) => row.private.endsWith(`:${port}`)));

  /** Makes the NAT forget, and waits until the hole is open again. */
  async function forgetting(router: Router): Promise<void> {
    await router.flush();
    await eventually(async () => (await own(router, 12001)).some(({ remote: to }) => to === `${R}:12003`));
  }

  /** Runs a listener with its standard output in a file, and says when it holds the port. */
  async function listening(host: Host, argv: readonly string[]): Promise<{ heard(): Buffer; process: Running }> {
    const file = join(directory, `out${sites++}`);
    const process = host.start(['sh', '-c', `exec "$0" "$@" > ${file}`, ...argv]);
    await eventually(async () => /:12001\s/.test(await host.must(['cat', '/proc/net/udp']).then(decodePorts)));
    return { heard: () => readFileSync(file), process };
  }

  const decodePorts = (text: string): string =>
    text.replace(/:([0-9A-F]{4}) /g, (_, port: string) => `:${Number.parseInt(port, 16)} `);

  const listeners = {
    'nat-tool': ['node', bin, 'listen', '-p', '12001'],
    nc: ['nc', '-u', '-l', '-p', '12001'],
  } as const;
  const punchers = {
    'nat-tool': ['node', bin, 'punch', '-p', '12001', '--stun', STUN, R, '12003'],
    hping3: ['hping3', '-c', '1', '-2', '-s', '12001', '-p', '12003', R],
  } as const;
  const senders = {
    'nat-tool': (to: string, bytes: string) => ['node', bin, 'send', '-p', '12003', '--hex', bytes, to, '12001'],
    nc: (to: string, bytes: string) => [
      'sh',
      '-c',
      `printf '${bytes.replace(/../g, (pair) => `\\${Number.parseInt(pair, 16).toString(8).padStart(3, '0')}`)}' | nc -q 0 -p 12003 -u ${to} 12001`,
    ],
  } as const;

  it.each([
    ['nat-tool', 'nat-tool', 'nat-tool'],
    ['nc', 'nat-tool', 'nat-tool'],
    ['nat-tool', 'hping3', 'nc'],
    ['nc', 'hping3', 'nat-tool'],
    ['nat-tool', 'nat-tool', 'nc'],
  ] as const)('%s listens, %s punches, %s sends', async (listener, puncher, sender) => {
    const { client, router } = await site({ kind: 'port-restricted-cone' });
    let { heard, process } = await listening(client, listeners[listener]);
    const send = (bytes: string) => remote.run(senders[sender](router.address, bytes));

    await send('01');
    const punched = await client.run(punchers[puncher]);
    if (puncher === 'nat-tool') expect(punched, punched.stderr).toMatchObject({ code: 0 });
    await send(PAYLOAD);
    await eventually(() => heard().length >= PAYLOAD.length / 2);
    // What was sent before the punch is not there.
    expect(heard()).toEqual(hex(PAYLOAD));

    await router.flush();
    await send('02');
    expect(heard()).toEqual(hex(PAYLOAD));
    if (listener === 'nc') {
      // It has connected to the sender, and would end when the punch comes back refused.
      await process.stop();
      ({ heard, process } = await listening(client, listeners.nc));
    }
    await client.run(punchers[puncher]);
    await send('03');
    const before = listener === 'nc' ? '' : PAYLOAD;
    await eventually(() => heard().length > before.length / 2);
    expect(heard()).toEqual(hex(`${before}03`));
    await process.stop();
  });

  it('a hole that is kept alive is there again when the NAT has forgotten it', async () => {
    const { client, router } = await site({ kind: 'port-restricted-cone' });
    const { heard } = await listening(client, listeners['nat-tool']);
    const keeper = client.start(['node', bin, 'punch', '-p', '12001', '--stun', STUN, '--keepalive=0.5', R, '12003']);
    await keeper.until(/keeping the hole/);
    await forgetting(router);
    await remote.run(senders['nat-tool'](router.address, PAYLOAD));
    await eventually(() => heard().length > 0);
    expect(heard()).toEqual(hex(PAYLOAD));
    keeper.signal('SIGINT');
    const { code, stdout } = await keeper.finished;
    expect(code).toBe(130);
    expect(stdout).toContain(`192.168.1.3:12001 | ${router.address}:12001`);
  });

  it('listen learns its public side, opens the hole itself and keeps it, and its table is the kernel’s', async () => {
    const { client, router } = await site({ kind: 'port-restricted-cone' });
    const listener = client.start([
      'node',
      bin,
      'listen',
      '--json',
      '-p',
      '12001',
      '--stun',
      STUN,
      '--punch',
      `${R}:12003`,
      '--keepalive=0.5',
      '-c',
      '1',
    ]);
    await listener.until(/"event":"public"/);
    const table = await own(router, 12001);
    await forgetting(router);
    await remote.run(senders['nat-tool'](router.address, PAYLOAD));
    const { code, stdout } = await listener.finished;
    expect(code).toBe(0);
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.find(({ event }) => event === 'datagram')).toMatchObject({
      from: `${R}:12003`,
      size: PAYLOAD.length / 2,
      base64: hex(PAYLOAD).toString('base64'),
    });
    const { data } = events.at(-1);
    expect(data.public).toBe(`${router.address}:12001`);
    // The kernel also knows the remote end, which has not told us how we look.
    expect(rowsOf(data.table)).toEqual(table.filter(({ remote: to }) => to === STUN));
  });

  it.each(['full-cone', 'restricted-cone', 'port-restricted-cone'] as const)(
    '%s: the table of punch is the kernel’s, and the command for the other side works',
    async (kind) => {
      const { client, router } = await site({ kind });
      const { code, report: punched } = await report(client, [
        'punch',
        '-p',
        '12001',
        '--stun',
        STUN,
        '-c',
        '1',
        R,
        '12003',
      ]);
      expect(code).toBe(0);
      expect(punched.data).toMatchObject({
        hole: 'sent',
        mapping: 'endpoint-independent',
        public: `${router.address}:12001`,
        shared: false,
      });
      expect(rowsOf(punched.data['table'])).toEqual(await own(router, 12001));
      const { heard } = await listening(client, listeners['nat-tool']);
      const [, , , , address = '', port = ''] = (punched.data['otherSide'] as { send: string }).send.split(' ');
      await remote.must(['node', bin, 'send', '-p', '12003', '--hex', PAYLOAD, address, port]);
      await eventually(() => heard().length > 0);
      expect(heard()).toEqual(hex(PAYLOAD));
    },
  );

  it('low time to live: the hole opens, and the remote end hears nothing', async () => {
    const { client, router } = await site({ kind: 'port-restricted-cone' });
    // Past the NAT (1) but not past the next router (2).
    const { code } = await report(client, ['punch', '-p', '12001', '--no-stun', '-c', '1', '--ttl', '2', R, '12003']);
    expect(code).toBe(0);
    const [flow] = (await router.flows()).filter(({ original }) => original.from.endsWith(':12001'));
    expect(flow).toMatchObject({ original: { to: `${R}:12003` }, unreplied: true });
    const [, counted] =
      /^Icmp: .*\nIcmp: \d+ \d+ \d+ \d+ (\d+)/m.exec(await client.must(['cat', '/proc/net/snmp'])) ?? [];
    expect(Number(counted)).toBeGreaterThan(0); // InTimeExcds
  });

  it('symmetric: it says so, and does not promise', async () => {
    const { client, router } = await site({ kind: 'symmetric' });
    const { code, report: punched } = await report(client, [
      'punch',
      '-p',
      '12001',
      '--stun',
      STUN,
      '-c',
      '1',
      R,
      '12003',
    ]);
    expect(code).toBe(3);
    expect(punched.data).toMatchObject({
      hole: 'sent',
      mapping: 'address-and-port-dependent',
      public: null,
      otherSide: null,
    });
    expect(punched.findings.map(({ kind }) => kind)).toContain('symmetric-punch');
    const kernel = await own(router, 12001);
    for (const row of rowsOf(punched.data['table'])) expect(kernel).toContainEqual(row);
  });

  const open = async (a: Site, b: Site, wait = '60') => {
    const side = (from: Site, to: Site, ports: readonly [string, string]) =>
      report(from.client, ['punch', '-p', ports[0], '--stun', STUN, '-w', wait, to.router.address, ports[1]]);
    return Promise.all([side(a, b, ['12001', '12003']), side(b, a, ['12003', '12001'])]);
  };

  it.each([
    ['full-cone', 'full-cone'],
    ['full-cone', 'port-restricted-cone'],
    ['restricted-cone', 'restricted-cone'],
    ['restricted-cone', 'port-restricted-cone'],
    ['port-restricted-cone', 'port-restricted-cone'],
    // The cone does not filter by port, so it hears the symmetric side's packets and answers where they come from.
    ['symmetric', 'full-cone'],
    ['symmetric', 'restricted-cone'],
  ] as const)('two NATs, %s and %s: open both ways', async (first, second) => {
    const [a, b] = [await site({ kind: first }), await site({ kind: second, client: '192.168.2.3' })];
    const [one, two] = await open(a, b);
    expect(one.report.data).toMatchObject({ hole: 'open' });
    expect(two.report.data).toMatchObject({ hole: 'open' });
    expect([one.code, two.code]).toEqual([0, 0]);
    expect((one.report.data['peer'] as { address: string }).address).toBe(`${b.router.address}:12003`);
    for (const [{ report: punched }, { router }, port] of [
      [one, a, 12001],
      [two, b, 12003],
    ] as const) {
      // Packets to an address that turned out not to be the peer's have rows in the kernel, too.
      const kernel = await own(router, port);
      const rows = rowsOf(punched.data['table']);
      if (first === 'symmetric') for (const row of rows) expect(kernel).toContainEqual(row);
      else expect(rows).toEqual(kernel);
    }
  });

  it.each(['port-restricted-cone', 'symmetric'] as const)(
    'two NATs, symmetric and %s: no hole, and the symmetric side says why',
    async (second) => {
      const [a, b] = [await site({ kind: 'symmetric' }), await site({ kind: second, client: '192.168.2.3' })];
      const [one, two] = await open(a, b, '2');
      expect([one.code, two.code]).toEqual([1, 1]);
      expect(one.report.data).toMatchObject({ hole: 'none', peer: null });
      expect(one.report.findings.map(({ kind }) => kind)).toEqual(
        expect.arrayContaining(['symmetric-punch', 'no-peer-answer']),
      );
      expect(two.report.findings.map(({ kind }) => kind)).toContain('no-peer-answer');
    },
  );

  it('punch at a nat-tool listen is answered, though listen only listens', async () => {
    const { client } = await site({ kind: 'port-restricted-cone' });
    const listener = remote.start(['node', bin, 'listen', '-p', '12003']);
    await listener.until(/listening/);
    const { code, report: punched } = await report(client, ['punch', '-p', '12001', '--stun', STUN, R, '12003']);
    expect(code).toBe(0);
    expect(punched.data).toMatchObject({ hole: 'open', peer: { address: `${R}:12003` } });
    await listener.stop();
    expect(listener.stdout()).toBe('');
    expect(listener.stderr()).toContain('was answered');
  });

  it('send hears that the remote end refuses, also through the NAT', async () => {
    const { client } = await site({ kind: 'port-restricted-cone' });
    const { code, report: sent } = await report(client, ['send', '--data', 'x', '-w', '3', R, '9']);
    expect(code).toBe(1);
    expect(sent.data).toMatchObject({ refused: true });
    expect((await natTool(client, ['send', '--data', 'x', '-q', R, '9'])).code).toBe(1);
  });
});
