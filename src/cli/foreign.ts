/** Lines as nc and hping3 take them, and the same lines of ours. Pure. */

/** Options by letter: those without a value, and what those with one are called here; long names stand for their letters. */
interface Manner {
  readonly names: readonly string[];
  readonly flags: string;
  readonly valued: string;
  readonly long: Readonly<Record<string, string>>;
  /** The words of our line, without `nat-tool`; undefined where we have nothing like it. */
  readonly ours: (given: Given) => readonly string[] | undefined;
}

interface Given {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, string>;
  readonly rest: readonly string[];
}

const isPort = (text: string | undefined): text is string => text !== undefined && /^\d{1,5}$/.test(text);

/** Our option with the value of theirs, where it was given. */
const carried = ({ values }: Given, theirs: string, ours: string): string[] => {
  const value = values.get(theirs);
  return value === undefined ? [] : [ours, value];
};

const NC: Manner = {
  names: ['nc', 'ncat', 'netcat'],
  flags: 'ulkn46vNdrC',
  valued: 'pswqi',
  long: {
    udp: 'u',
    listen: 'l',
    'keep-open': 'k',
    verbose: 'v',
    'source-port': 'p',
    source: 's',
    wait: 'w',
    nodns: 'n',
  },
  ours: (given) => {
    const { flags, values, rest } = given;
    const habits = [
      ...carried(given, 's', '-s'),
      ...carried(given, 'w', '-w'),
      ...['4', '6'].flatMap((digit) => (flags.has(digit) ? [`-${digit}`] : [])),
    ];
    if (flags.has('l')) {
      const port = values.get('p') ?? rest.at(-1);
      return isPort(port) && rest.length < 3
        ? ['listen', '-p', port, ...(flags.has('k') ? ['-k'] : []), ...habits]
        : undefined;
    }
    const [host, port] = rest;
    return host !== undefined && isPort(port) && rest.length === 2
      ? ['send', ...carried(given, 'p', '-p'), ...habits, host, port]
      : undefined;
  },
};

const HPING: Manner = {
  names: ['hping3', 'hping', 'hping2'],
  flags: '2knqV',
  valued: 'spcitd',
  long: {
    udp: '2',
    baseport: 's',
    destport: 'p',
    count: 'c',
    interval: 'i',
    ttl: 't',
    data: 'd',
    keep: 'k',
    numeric: 'n',
  },
  ours: (given) => {
    const { values, rest } = given;
    const port = values.get('p')?.replace(/^\++/, '');
    const [host] = rest;
    const micros = /^u(\d+)$/.exec(values.get('i') ?? '')?.[1];
    if (host === undefined || rest.length > 1 || !isPort(port)) return undefined;
    return [
      'punch',
      ...carried(given, 's', '-p'),
      ...carried(given, 'c', '-c'),
      ...(micros === undefined ? carried(given, 'i', '-i') : ['-i', String(Number(micros) / 1e6)]),
      ...carried(given, 't', '-t'),
      ...carried(given, 'd', '-d'),
      host,
      port,
    ];
  },
};

/**
 * The same line of ours, `nat-tool` included, for one that begins with the name of such a program, that consists of its options alone
 * (`before`, the words before what was taken for a command, are not empty), or that gives our own command its options.
 */
export function ourLine(argv: readonly string[], commands: readonly string[]): string | undefined {
  const first = argv.findIndex((word) => !word.startsWith('-'));
  const name = argv[first] ?? '';
  const named = [NC, HPING].find(({ names }) => names.includes(name));
  const manners = named ? [named] : name === 'punch' ? [HPING] : first > 0 ? [HPING, NC] : [];
  const words = named || name === 'punch' ? argv.slice(first + 1) : argv;
  for (const manner of manners) {
    const given = read(words, manner);
    // hping3 alone knows -2, for UDP, and takes a port after -s; for nc, and for us, that is an address.
    const isHping = given && (given.flags.has('2') || isPort(given.values.get('s')));
    if (!given || (!named && manner === HPING && !isHping)) continue;
    if (!named && given.rest.some((word) => commands.includes(word))) continue;
    const line = manner.ours(given);
    if (line) return ['nat-tool', ...line].join(' ');
  }
  return undefined;
}

/** The programs that are known, and the commands that do the like of them. */
export function likeOurs(name: string): string | undefined {
  if (NC.names.includes(name)) return "Here it is 'nat-tool listen' or 'nat-tool send'.";
  return HPING.names.includes(name) ? "Here it is 'nat-tool punch'." : undefined;
}

/** As getopt does; undefined where an option is none of theirs. */
function read(words: readonly string[], { flags, valued, long }: Manner): Given | undefined {
  const given = { flags: new Set<string>(), values: new Map<string, string>(), rest: [] as string[] };
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    if (!/^-./.test(word)) {
      given.rest.push(word);
      continue;
    }
    const [, name, attached] = /^--([^=]+)(?:=(.*))?$/.exec(word) ?? [];
    let letters = name === undefined ? word.slice(1) : (long[name] ?? '');
    if (letters === '') return undefined;
    for (; letters !== ''; letters = letters.slice(1)) {
      const letter = letters.charAt(0);
      if (flags.includes(letter)) given.flags.add(letter);
      else if (!valued.includes(letter)) return undefined;
      else {
        const value = attached ?? (letters.length > 1 ? letters.slice(1) : words[++i]);
        if (value === undefined) return undefined;
        given.values.set(letter, value);
        break;
      }
    }
  }
  return given;
}
