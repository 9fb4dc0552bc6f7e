/**
 * A small internet of network namespaces. One namespace, `core`, routes between public hosts and the outsides of sites; a site is a
 * router `n` with interfaces `wan` and `lan` and one client `c` behind it. Nothing here reaches the machine's own network.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { type Flow, parseConntrack, type Row, translations } from './conntrack.ts';
import { hold, release, sweepStale, uniquePrefix } from './names.ts';
import { type NatOptions, oneToOne, ruleset } from './nat.ts';
import { must, run, type Running, type RunOptions, start } from './process.ts';

/** The core's address on every link, and every host's next hop. */
const NEXT_HOP = '169.254.0.1';
const NEXT_HOP_6 = 'fe80::1';

export class Host {
  readonly namespace: string;
  readonly addresses: readonly string[];

  constructor(namespace: string, addresses: readonly string[]) {
    this.namespace = namespace;
    this.addresses = addresses;
  }

  get address(): string {
    const [first] = this.addresses;
    if (first === undefined) throw new Error(`${this.namespace} has no address`);
    return first;
  }

  run(argv: readonly string[], options?: RunOptions) {
    return run(this.namespace, argv, options);
  }

  must(argv: readonly string[], options?: RunOptions) {
    return must(this.namespace, argv, options);
  }

  start(argv: readonly string[], options?: RunOptions): Running {
    return start(this.namespace, argv, options);
  }
}

export class Router extends Host {
  /** What the NAT holds: its UDP flows, oldest knowledge of the kernel, untranslated ones included. */
  async flows(): Promise<Flow[]> {
    return parseConntrack(await this.must(['conntrack', '-L', '-p', 'udp', '-o', 'extended']));
  }

  /** The forwarding table: translated flows, as the tool prints them. */
  async table(): Promise<Row[]> {
    return (await this.flows()).flatMap(translations);
  }

  /** Forgets every flow. */
  async flush(): Promise<void> {
    await this.must(['conntrack', '-F']);
  }
}

export interface Site {
  readonly client: Host;
  readonly router: Router;
}

export interface SiteOptions extends Omit<NatOptions, 'wan' | 'client'> {
  /** Public address of the router; unless told, 12.13.14.15 for the first site, and so on. */
  readonly wan?: string;
  /** Inside: the client's address, in a /24 whose first address is the router's. 192.168.1.3 unless told; without a NAT a public one. */
  readonly client?: string;
  /** The site's outside is a customer line of this site's inside. */
  readonly behind?: Site;
}

export class Internet {
  readonly #directories = new Set<string>();
  readonly #prefix = uniquePrefix();
  readonly #names: string[] = [];
  #core = '';
  #links = 0;
  #sites = 0;
  readonly #lines = new Map<string, number>();
  /** The core's end of the link to a namespace. */
  readonly #ends = new Map<string, string>();
  /** The core's end of the line of each namespace. */
  readonly #linkOf = new Map<string, string>();

  static async create(): Promise<Internet> {
    sweepStale();
    const internet = new Internet();
    internet.#core = await internet.#namespace('core');
    await must(internet.#core, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']);
    return internet;
  }

  /** A host on the public segment. */
  async host(name: string, addresses: readonly string[]): Promise<Host> {
    const namespace = await this.#namespace(name);
    await this.#attach(namespace, 'eth0', addresses);
    return new Host(namespace, addresses);
  }

  /** Gives a public host IPv6 too: these addresses, and the core routes the prefix to it. */
  async six(host: Host, prefix: string, addresses: readonly string[]): Promise<void> {
    const link = this.#linkOf.get(host.namespace);
    await must(this.#core, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding']);
    await ip(this.#core, [`addr add ${NEXT_HOP_6}/64 dev ${link} nodad`]);
    await ip(host.namespace, [
      'addr add fe80::2/64 dev eth0 nodad',
      ...addresses.map((address) => `addr add ${address}/128 dev eth0 nodad`),
      `route add default via ${NEXT_HOP_6} dev eth0 src ${addresses[0]}`,
    ]);
    await ip(this.#core, [`route add ${prefix} via fe80::2 dev ${link}`]);
  }

  /** A host with private addresses behind a 1:1 NAT, as clouds have it. `addresses` of the host are the private ones; a public one for each, in order. */
  async cloud(name: string, outside: readonly string[]): Promise<{ readonly host: Host; readonly router: Router }> {
    const [router, inner] = [await this.#namespace(`${name}-n`), await this.#namespace(name)];
    const inside = outside.map((_, i) => `10.0.0.${5 + i}`);
    await this.#attach(router, 'wan', outside);
    await ip(router, [
      `link add lan type veth peer name eth0 netns ${inner}`,
      'addr add 10.0.0.1/24 dev lan',
      'link set lan up',
    ]);
    await ip(inner, [
      ...inside.map((address) => `addr add ${address}/24 dev eth0`),
      'link set eth0 up',
      'route add default via 10.0.0.1',
    ]);
    await must(router, ['nft', '-f', '-'], { stdin: oneToOne(inside, outside) });
    await must(router, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']);
    return { host: new Host(inner, inside), router: new Router(router, outside) };
  }

  /** A router, its client, and the rules between them. */
  async site(name: string, options: SiteOptions): Promise<Site> {
    const nth = this.#sites++;
    const translates = options.kind !== 'none' && options.kind !== 'firewall';
    const wan = options.wan ?? `12.13.14.${15 + nth}`;
    const inside = options.client ?? (translates ? '192.168.1.3' : `12.13.${100 + nth}.3`);
    const gateway = inside.replace(/\d+$/, '1');
    const subnet = inside.replace(/\d+$/, '0/24');
    const [router, client] = [await this.#namespace(`${name}-n`), await this.#namespace(`${name}-c`)];
    if (options.behind) await this.#subscribe(options.behind.router, router, wan);
    else await this.#attach(router, 'wan', [wan], translates ? undefined : subnet);
    await ip(router, [
      `link add lan type veth peer name eth0 netns ${client}`,
      `addr add ${gateway}/24 dev lan`,
      'link set lan up',
    ]);
    await ip(client, [`addr add ${inside}/24 dev eth0`, 'link set eth0 up', `route add default via ${gateway}`]);
    const settings = [
      ['ipv4/ip_forward', 1],
      ['netfilter/nf_conntrack_udp_timeout', options.timeout?.udp],
      ['netfilter/nf_conntrack_udp_timeout_stream', options.timeout?.stream],
    ] as const;
    const rules = ruleset({ ...options, wan, client: inside });
    // Rules first: conntrack and its settings exist in a namespace once something there uses it.
    if (rules !== '') await must(router, ['nft', '-f', '-'], { stdin: rules });
    await must(router, [
      'sh',
      '-c',
      settings
        .flatMap(([key, value]) => (value === undefined ? [] : [`echo ${value} > /proc/sys/net/${key}`]))
        .join(' && '),
    ]);
    return { client: new Host(client, [inside]), router: new Router(router, [wan, gateway]) };
  }

  /** The provider gives a site's router another public address, and what the NAT held is gone. */
  async renumber({ router }: Site, address: string): Promise<void> {
    const before = router.addresses[0] ?? '';
    await ip(this.#core, [`route add ${address}/32 dev ${this.#linkOf.get(router.namespace)}`]);
    await ip(router.namespace, [
      `addr add ${address}/32 dev wan`,
      `route replace ${NEXT_HOP}/32 dev wan src ${address}`,
      `route replace default via ${NEXT_HOP} dev wan src ${address}`,
      `addr del ${before}/32 dev wan`,
    ]);
    await router.flush();
  }

  /** IPv6 too, for a public host. */
  async ipv6(host: Host, addresses: readonly string[]): Promise<void> {
    const link = await this.#speak6(host.namespace);
    await ip6(host.namespace, [
      ...addresses.map((address) => `addr add ${address}/128 dev eth0 nodad`),
      'route add default via fe80::1 dev eth0',
    ]);
    await ip6(
      this.#core,
      addresses.map((address) => `route add ${address}/128 dev ${link}`),
    );
  }

  /** IPv6 too, for a site: the client is `prefix`::3 behind a firewall, or behind one that lets nothing pass. `alone`: it loses its IPv4. */
  async ipv6Site(
    { router, client }: Site,
    prefix: string,
    { hole = false, alone = false }: { readonly hole?: boolean; readonly alone?: boolean } = {},
  ): Promise<void> {
    const link = await this.#speak6(router.namespace);
    await must(router.namespace, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding']);
    await ip6(router.namespace, [
      'addr add fe80::2/64 dev wan nodad',
      'route add default via fe80::1 dev wan',
      `addr add ${prefix}::1/64 dev lan nodad`,
    ]);
    await ip6(this.#core, [`route add ${prefix}::/64 via fe80::2 dev ${link}`]);
    await ip6(client.namespace, [
      `addr add ${prefix}::3/64 dev eth0 nodad`,
      `route add default via ${prefix}::1 dev eth0`,
    ]);
    const rules = hole ? 'drop' : 'ct state established,related accept\n iifname "lan" accept\n drop';
    await must(router.namespace, ['nft', '-f', '-'], {
      stdin: `table ip6 filter {\n chain forward {\n type filter hook forward priority filter; policy accept;\n ${rules}\n }\n}\n`,
    });
    if (alone) await must(undefined, ['ip', '-n', client.namespace, '-4', 'addr', 'flush', 'dev', 'eth0']);
  }

  /** What names mean in that namespace, as in hosts(5). */
  names(host: Host, lines: readonly string[]): void {
    const directory = `/etc/netns/${host.namespace}`;
    mkdirSync(directory, { recursive: true });
    writeFileSync(`${directory}/hosts`, ['127.0.0.1 localhost', '::1 localhost', ...lines, ''].join('\n'));
    this.#directories.add(directory);
  }

  async #speak6(namespace: string): Promise<string> {
    const link = this.#ends.get(namespace) ?? '';
    await must(this.#core, ['sh', '-c', 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding']);
    await ip6(this.#core, [`addr add fe80::1/64 dev ${link} nodad`]);
    return link;
  }

  /** Ends all processes inside and removes every namespace. */
  close(): void {
    for (const name of this.#names.splice(0)) release(name);
    for (const directory of this.#directories) rmSync(directory, { recursive: true, force: true });
  }

  async #namespace(role: string): Promise<string> {
    const name = `${this.#prefix}-${role}`;
    hold(name);
    this.#names.push(name);
    await must(undefined, ['ip', 'netns', 'add', name]);
    await ip(name, ['link set lo up']);
    return name;
  }

  /** A point-to-point link to the core, which routes the addresses, and what lies behind them, here. */
  async #attach(namespace: string, device: string, addresses: readonly string[], behind?: string): Promise<void> {
    const link = `p${this.#links++}`;
    this.#ends.set(namespace, link);
    this.#linkOf.set(namespace, link);
    const [first = ''] = addresses;
    await ip(this.#core, [
      `link add ${link} type veth peer name ${device} netns ${namespace}`,
      `addr add ${NEXT_HOP}/32 dev ${link}`,
      `link set ${link} up`,
    ]);
    await ip(namespace, [
      ...addresses.map((address) => `addr add ${address}/32 dev ${device}`),
      `link set ${device} up`,
      `route add ${NEXT_HOP}/32 dev ${device} src ${first}`,
      `route add default via ${NEXT_HOP} dev ${device} src ${first}`,
    ]);
    await ip(this.#core, [
      ...addresses.map((address) => `route add ${address}/32 dev ${link}`),
      ...(behind === undefined ? [] : [`route add ${behind} via ${first} dev ${link} onlink`]),
    ]);
  }

  /** Joins a router's outside to the inside of another site, as one more line of a carrier's NAT. */
  async #subscribe(carrier: Router, router: string, address: string): Promise<void> {
    const [, gateway = ''] = carrier.addresses;
    const line = (this.#lines.get(carrier.namespace) ?? 0) + 1;
    this.#lines.set(carrier.namespace, line);
    await ip(carrier.namespace, [
      `link add line${line} type veth peer name wan netns ${router}`,
      `addr add ${gateway}/32 dev line${line}`,
      `link set line${line} up`,
      `route add ${address}/32 dev line${line}`,
    ]);
    await ip(router, [
      `addr add ${address}/32 dev wan`,
      'link set wan up',
      `route add ${gateway}/32 dev wan src ${address}`,
      `route add default via ${gateway} dev wan src ${address}`,
    ]);
  }
}

const ip6 = (namespace: string, commands: string[]): Promise<string> =>
  must(undefined, ['ip', '-6', '-n', namespace, '-batch', '-'], { stdin: `${commands.join('\n')}\n` });

const ip = (namespace: string, commands: string[]): Promise<string> =>
  must(undefined, ['ip', '-n', namespace, '-batch', '-'], { stdin: `${commands.join('\n')}\n` });
