/** Packets for people: hosts by their names, each packet's whole way in one line, and what repeats itself once. Pure. */
import { type Diagram, inPlace, type Step, turned } from '../../lab/ladder.ts';
import type { Row } from '../../lab/topology.ts';
import { type Block, type LadderStep, ladder, text } from '../../render/block.ts';
import type { Addresses } from './data.ts';

type Packet = Extract<Step, { kind: 'packet' }>;

/** A packet's whole way, or that of several alike. */
interface Rung {
  readonly atMs: number;
  readonly path: readonly string[];
  /** More than one, here or there, where packets that differ in nothing else were sent at the same instant. */
  readonly sources: readonly string[];
  readonly targets: readonly string[];
  readonly contents: readonly string[];
  readonly lost: boolean;
}

type Shown = Rung | { readonly atMs: number; readonly texts: readonly string[] };

/** `S`, `S'` and `S'3` for a host's addresses, with a 6 behind the host's name for IPv6. */
export function namesOf(addresses: Addresses): Map<string, string> {
  const names = new Map<string, string>();
  for (const [host, all] of Object.entries(addresses)) {
    for (const six of [false, true]) {
      for (const [i, address] of all.filter((each) => each.includes(':') === six).entries())
        names.set(address, `${host}${six ? '6' : ''}${i === 0 ? '' : i === 1 ? "'" : `'${i + 1}`}`);
    }
  }
  return names;
}

/** An endpoint as it is written, with the host's name in place of its address. */
function named(endpoint: string, names: ReadonlyMap<string, string>): string {
  const [, six, four, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(endpoint) ?? [];
  const name = names.get(six ?? four ?? '');
  return name === undefined ? endpoint : `${name}:${port}`;
}

/** Which addresses the names in these diagrams stand for. */
export function legend(addresses: Addresses, diagrams: readonly Diagram[]): Block {
  const there = diagrams.flatMap(({ steps }) =>
    steps.flatMap((step) =>
      step.kind === 'packet'
        ? [step.src, step.dst]
        : step.kind === 'table'
          ? step.added.flatMap((row) => [row.private, row.public, row.remote])
          : [],
    ),
  );
  const places = inPlace(Object.keys(addresses));
  const used = new Set(there.map((endpoint) => endpoint.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')));
  return text(
    [...namesOf(Object.fromEntries(places.map((name) => [name, addresses[name] ?? []])))]
      .filter(([address]) => used.has(address))
      .map(([address, name]) => `${name}=${address}`)
      .join(', '),
    'dim',
  );
}

export function packetLadder({ participants, steps }: Diagram, addresses: Addresses): Block {
  const lines = folded(together(shown(steps, namesOf(addresses))));
  return ladder(participants.map(short), lines.flatMap(ladderSteps));
}

/** Where packets go that nobody takes. */
const short = (name: string): string => (name === 'internet' ? 'net' : name);

const isServer = (name: string): boolean => /^S\d*$/.test(name);

/** Without the questions to STUN servers, and what they left in tables. */
export function withoutQuestions({ participants, steps }: Diagram, addresses: Addresses): Diagram {
  const servers = Object.keys(addresses)
    .filter(isServer)
    .flatMap((name) => addresses[name] ?? []);
  const toServer = (endpoint: string): boolean =>
    servers.some((address) => endpoint.startsWith(`${address}:`) || endpoint.startsWith(`[${address}]:`));
  const questions = new Set(
    steps.flatMap((step) => (step.kind === 'packet' && (isServer(step.from) || isServer(step.to)) ? [step.id] : [])),
  );
  const rest = steps.flatMap((step): Step[] => {
    if (step.kind !== 'table') return questions.has(step.id) ? [] : [step];
    const added = step.added.filter(({ remote }) => !toServer(remote));
    const gone = step.gone.filter(({ remote }) => !toServer(remote));
    return added.length + gone.length > 0 ? [{ ...step, added, gone }] : [];
  });
  const there = new Set(rest.flatMap((step) => (step.kind === 'packet' ? [step.from, step.to] : [])));
  return { participants: participants.filter((name) => there.has(name)), steps: rest };
}

interface Journey {
  readonly hops: Packet[];
  dropped: boolean;
}

/** A packet's hops as one line, changes of one NAT's table at one instant as one remark. */
function shown(steps: readonly Step[], names: ReadonlyMap<string, string>): Shown[] {
  const ways = new Map<number, Journey[]>();
  const order: (() => Shown)[] = [];
  let tables = new Map<string, Table>();
  for (const [i, step] of steps.entries()) {
    const mine = 'id' in step ? (ways.get(step.id) ?? []) : [];
    switch (step.kind) {
      case 'packet': {
        const way = mine.find(({ hops }) => hops.at(-1)?.to === step.from);
        if (way) way.hops.push(step);
        else {
          const fresh: Journey = { hops: [step], dropped: false };
          ways.set(step.id, [...mine, fresh]);
          order.push(() => rungOf(fresh, names));
        }
        break;
      }
      case 'remark': {
        const way = mine.at(-1);
        if (way && step.dropped) way.dropped = true;
        const { at, atMs, text, turnedTo } = step;
        if (!step.refused)
          order.push(() => ({ atMs, texts: [turnedTo === undefined ? text : turned(at, named(turnedTo, names))] }));
        break;
      }
      case 'table': {
        const before = tables.get(step.at);
        const table = before
          ? { ...step, added: [...before.added, ...step.added], gone: [...before.gone, ...step.gone] }
          : step;
        tables.set(step.at, table);
      }
    }
    if (steps[i + 1]?.atMs === step.atMs) continue;
    for (const table of tables.values()) order.push(() => ({ atMs: table.atMs, texts: tableTexts(table, names) }));
    tables = new Map();
  }
  return order.map((each) => each());
}

type Table = Extract<Step, { kind: 'table' }>;

/** Rows of a table's change that are listed. */
const MOST_ROWS = 4;

function tableTexts({ at, added, gone }: Table, names: ReadonlyMap<string, string>): string[] {
  return [...rowTexts(`${at} adds  `, added, names), ...rowTexts(`${at} forgets  `, gone, names)];
}

function rowTexts(lead: string, rows: readonly Row[], names: ReadonlyMap<string, string>): string[] {
  const cells = rows
    .slice(0, MOST_ROWS)
    .map((row) => [row.private, row.public, row.remote].map((each) => named(each, names)));
  const widths = [0, 1, 2].map((column) => Math.max(0, ...cells.map((row) => (row[column] ?? '').length)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join(' | ')
      .trimEnd(),
  );
  const more = rows.length - MOST_ROWS;
  return [...lines, ...(more > 0 ? [`and ${more} more`] : [])].map(
    (line, i) => (i === 0 ? lead : ' '.repeat(lead.length)) + line,
  );
}

/** `A:1 (N:2) → S:3`: in brackets the public side, on the side where it is one. */
function rungOf({ hops, dropped }: Journey, names: ReadonlyMap<string, string>): Rung {
  const [first, last] = [hops[0] as Packet, hops.at(-1) as Packet];
  const [src, seen, aimed, dst] = [first.src, last.src, first.dst, last.dst].map((each) => named(each, names));
  return {
    atMs: first.atMs,
    path: [first.from, ...hops.map(({ to }) => to)].map(short),
    sources: [src === seen ? `${src}` : `${src} (${seen})`],
    targets: [aimed === dst ? `${dst}` : `(${aimed}) ${dst}`],
    contents: [last.lost === undefined ? last.content : `${last.content}: ${last.lost}`],
    lost: dropped || last.lost !== undefined,
  };
}

/** Packets that differ in their target, their source or their content alone, sent one after the other at one instant, are one line. */
function together(all: readonly Shown[]): Shown[] {
  const lines: Shown[] = [];
  for (const each of all) {
    const before = lines.at(-1);
    const both = before && 'path' in before && 'path' in each ? joined(before, each) : undefined;
    if (both) lines[lines.length - 1] = both;
    else lines.push(each);
  }
  return lines;
}

function joined(a: Rung, b: Rung): Rung | undefined {
  if (a.atMs !== b.atMs || a.lost !== b.lost || a.path.join() !== b.path.join()) return undefined;
  const both = {
    sources: union(a.sources, b.sources),
    targets: union(a.targets, b.targets),
    contents: union(a.contents, b.contents),
  };
  const different = Object.values(both).filter(({ length }) => length > 1);
  return different.length < 2 ? { ...a, ...both } : undefined;
}

const union = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])];

/** Lines that are compared with those before them. */
const LONGEST_REPEAT = 12;

const keyOf = (line: Shown): string => JSON.stringify({ ...line, atMs: 0 });

/** A run of lines that comes again at once, but for the time, is shown once. */
function folded(all: readonly Shown[]): Shown[] {
  const keys = all.map(keyOf);
  const lines: Shown[] = [];
  for (let i = 0; i < all.length; ) {
    const [length, times] = repeatAt(keys, i);
    lines.push(...all.slice(i, i + length));
    i += length * times;
    const last = all[i - 1];
    if (times > 1 && last)
      lines.push({
        atMs: last.atMs,
        texts: [
          `the last ${length === 1 ? 'line' : `${length} lines`} again, ${times - 1} time${times === 2 ? '' : 's'}`,
        ],
      });
  }
  return lines;
}

/** The length of the run that begins here, and how often it comes; at least two lines are saved. */
function repeatAt(keys: readonly string[], start: number): readonly [length: number, times: number] {
  for (let length = 1; length <= LONGEST_REPEAT; length++) {
    let times = 1;
    while (sameRun(keys, start, start + length * times, length)) times++;
    if (length * (times - 1) > 1) return [length, times];
  }
  return [1, 1];
}

function sameRun(keys: readonly string[], a: number, b: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (keys[b + i] === undefined || keys[a + i] !== keys[b + i]) return false;
  return true;
}

function ladderSteps(line: Shown): LadderStep[] {
  if (!('path' in line))
    return line.texts.map((words, i) => ({ kind: 'remark', text: words, ...(i === 0 && { atMs: line.atMs }) }));
  const { atMs, path, sources, targets, contents, lost } = line;
  return [
    { kind: 'packet', path, label: `${listed(sources)} → ${listed(targets)} ${contentOf(contents)}`, atMs, lost },
  ];
}

/** Nearly all is STUN's Binding. */
const contentOf = (contents: readonly string[]): string =>
  listed(contents.map((each) => each.replace(/^binding /, '').replace('ICMP port ', 'ICMP ')));

/** Of several sources or targets, how many are named. */
const MOST_NAMED = 3;

const listed = (all: readonly string[]): string =>
  all.slice(0, MOST_NAMED).join(', ') + (all.length > MOST_NAMED ? ` and ${all.length - MOST_NAMED} more` : '');
