import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Block,
  fields,
  forwardingGrid,
  grid,
  heading,
  ladder,
  note,
  raw,
  text,
  toCopy,
} from '../../src/render/block.ts';
import { renderJson } from '../../src/render/json.ts';
import { flatten, renderPlain } from '../../src/render/plain.ts';
import { renderNote, renderText } from '../../src/render/text.ts';
import { createTheme, plainTheme, wantsUnicode } from '../../src/render/theme.ts';
import { toAscii, visible, visibleOutput, wrap } from '../../src/render/words.ts';

const theme = plainTheme(true);
const show = (blocks: Block[], columns?: number) => renderText(blocks, theme, columns);
const row = { private: '192.168.1.3:42301', public: '12.13.14.15:24604', remote: '40.30.20.10:3478' };

describe('tables', () => {
  it('show the forwarding table as the contract draws it', async () => {
    expect(await show([forwardingGrid([row])])).toBe(
      [
        '| Private side      | Public side       | Remote           |',
        '|-------------------|-------------------|------------------|',
        '| 192.168.1.3:42301 | 12.13.14.15:24604 | 40.30.20.10:3478 |',
        '',
      ].join('\n'),
    );
  });

  it('align numbers to the right', async () => {
    expect(
      await show([
        grid(
          ['Server', { title: 'RTT', align: 'right' }],
          [
            ['a', '5'],
            ['b', '12.5'],
          ],
        ),
      ]),
    ).toBe('| Server |  RTT |\n|--------|------|\n| a      |    5 |\n| b      | 12.5 |\n');
  });

  it('break only prose when narrow', async () => {
    const blocks = [
      forwardingGrid(
        [row],
        [{ title: 'What it means', wrap: true, of: () => 'anyone may send to the public side once it is there' }],
      ),
    ];
    const lines = (await show(blocks, 80)).trimEnd().split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines.join('\n')).toContain('| 192.168.1.3:42301 | 12.13.14.15:24604 | 40.30.20.10:3478 |');
    expect(lines.length).toBeGreaterThan(3);
    expect((await show(blocks)).split('\n')).toHaveLength(4);
  });

  it('become lists rather than break an address', async () => {
    const v6 = {
      private: '[2001:db8:1111:2222:3333:4444:5555:6666]:42301',
      public: '[2001:db8:1111:2222:3333:4444:5555:7777]:42301',
      remote: '[2001:db8::1]:3478',
    };
    expect(await show([forwardingGrid([v6, row])], 80)).toBe(
      [
        'Private side: [2001:db8:1111:2222:3333:4444:5555:6666]:42301',
        'Public side:  [2001:db8:1111:2222:3333:4444:5555:7777]:42301',
        'Remote:       [2001:db8::1]:3478',
        '',
        'Private side: 192.168.1.3:42301',
        'Public side:  12.13.14.15:24604',
        'Remote:       40.30.20.10:3478',
        '',
      ].join('\n'),
    );
  });

  it('never break a word, whatever the width', async () => {
    const cell = fc.stringMatching(/^[a-z0-9.:]{1,30}$/);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 20, max: 120 }),
        async (rows, width) => {
          const out = await show([grid(['A', { title: 'B', wrap: true }], rows)], width);
          for (const [a, b] of rows) {
            expect(out).toContain(a);
            expect(out).toContain(b);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it('keep their shape in colour', async () => {
    const colour = await createTheme(true, true);
    const painted = await renderText([grid(['A', 'B'], [[{ text: 'yes', tone: 'good' }, 'x']])], colour, undefined);
    expect(painted).toContain('\u001b[32myes\u001b[39m');
    expect(painted.replace(/\u001b\[\d+m/g, '')).toBe('| A   | B |\n|-----|---|\n| yes | x |\n');
  });

  it('carry no colour of their own', async () => {
    expect(await show([forwardingGrid([row])])).not.toContain('\u001b');
  });
});

describe('text', () => {
  it('sets blocks apart, but not from their heading', async () => {
    expect(
      await show([
        heading('NAT'),
        fields([
          ['type', 'symmetric'],
          ['hairpin', 'no'],
        ]),
        text('One sentence.'),
        note('elsewhere'),
        raw('as it is\n'),
      ]),
    ).toBe('NAT\ntype     symmetric\nhairpin  no\n\nOne sentence.\nas it is\n');
  });

  it('wraps prose and notes to the terminal', async () => {
    expect(await show([text('one two three')], 8)).toBe('one two\nthree\n');
    expect(renderNote('one two three', theme, 15)).toBe('note: one two\n      three\n');
  });

  it('shows control characters instead of obeying them', async () => {
    expect(await show([fields([['software', 'evil\u001b[2J\r\u009b']])])).toBe(
      'software  evil\\u001b[2J\\u000d\\u009b\n',
    );
    expect(visible('a\u202eb\u2028c')).toBe('a\\u202eb\\u2028c');
  });

  it('lets no text begin a line of its own', async () => {
    const evil = 'a\nPublic side  6.6.6.6:6';
    const seen = 'a\\u000aPublic side';
    const blocks = [text(evil), fields([['software', evil]]), grid(['A'], [[evil]]), heading(evil)];
    for (const block of blocks) {
      const shown = await show([block]);
      expect(shown).toContain(seen);
      expect(shown).not.toMatch(/^Public side/m);
    }
    expect(renderNote(evil, theme, undefined)).toContain(seen);
  });

  it('keeps the layout and the colours of what was rendered before, and nothing else', () => {
    expect(visibleOutput('\u001b[1;31mred\u001b[0m\ta\n\u001b[2J\u001b]0;x\u0007\r')).toBe(
      '\u001b[1;31mred\u001b[0m\ta\n\\u001b[2J\\u001b]0;x\\u0007\\u000d',
    );
  });

  it('wraps without losing a word', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }),
        fc.integer({ min: 1, max: 40 }),
        (words, width) => {
          const lines = wrap(words.join(' '), width);
          expect(lines.join(' ')).toBe(words.join(' '));
          for (const line of lines) expect(line.length <= width || !line.includes(' ')).toBe(true);
        },
      ),
    );
  });
});

it('never breaks a line to copy', async () => {
  const command = `nat-tool punch -p 12003 ${'2001:db8::1 '.repeat(8)}24604`;
  expect(await show([fields([['Other side', toCopy(command)]])], 40)).toBe(`Other side  ${command}\n`);
});

describe('ladders', () => {
  const block = ladder(
    ['A', 'NAT', 'S'],
    [
      { kind: 'packet', path: ['A', 'NAT'], label: 'Binding', atMs: 0 },
      { kind: 'packet', path: ['NAT', 'S'], label: 'Binding', atMs: 10 },
      { kind: 'remark', text: 'the NAT made a mapping' },
      { kind: 'packet', path: ['S', 'NAT'], label: 'Success', atMs: 20.25, lost: true },
    ],
  );

  it('draw who sent what to whom', async () => {
    expect(await show([block])).toBe(
      [
        '  ms  A         NAT       S',
        ' 0.0  │────────▶│         │  Binding',
        '10.0  │         │────────▶│  Binding',
        '      the NAT made a mapping',
        '20.3  │         │✗────────│  Success',
        '',
      ].join('\n'),
    );
  });

  it('draw the whole way of a packet', async () => {
    const way = ladder(['A', 'NAT', 'S'], [{ kind: 'packet', path: ['S', 'NAT', 'A'], label: 'Success', lost: true }]);
    expect(await show([way])).toBe(['A         NAT       S', '│✗────────│◀────────│  Success', ''].join('\n'));
  });

  it('keep to ASCII where the terminal cannot do more', async () => {
    expect(await renderText([block], plainTheme(false), undefined)).toMatch(/^[\n\x20-\x7e]+$/);
  });

  it('fit the terminal, labels whole', async () => {
    const long = ladder(
      ['A', 'B', 'C', 'D'],
      [{ kind: 'packet', path: ['B', 'A'], label: `${'x'.repeat(44)} a label that is too long`, atMs: 1 }],
    );
    const lines = [
      ' ms  A  B  C  D',
      `1.0  │◀─│  │  │  ${'x'.repeat(44)}`,
      '     │  │  │  │  a label that is too long',
      '',
    ];
    for (const columns of [60, 62]) expect(await show([long], columns)).toBe(lines.join('\n'));
    for (const columns of [80, 120, undefined])
      expect(Math.max(...(await show([long], columns)).split('\n').map(({ length }) => length))).toBeLessThanOrEqual(
        80,
      );
  });
});

describe('plain and JSON', () => {
  it('flattens with stable keys', () => {
    expect(flatten({ table: [row], ok: true, none: null, empty: [], gone: undefined })).toEqual([
      ['table.0.private', row.private],
      ['table.0.public', row.public],
      ['table.0.remote', row.remote],
      ['ok', 'true'],
      ['none', ''],
    ]);
  });

  it('keeps a pair on its line', () => {
    expect(renderPlain([['a', 'x\ty\nz']])).toBe('a\tx\\u0009y\\u000az\n');
  });

  it('escapes what a terminal may obey, and stays the same JSON', () => {
    const value = { a: '\u009b\u007f\u001bé' };
    expect(renderJson(value)).toBe('{\n  "a": "\\u009b\\u007f\\u001bé"\n}\n');
    expect(JSON.parse(renderJson(value))).toEqual(value);
  });
});

describe('where the terminal has ASCII only', () => {
  const dumb = plainTheme(false);
  const blocks: Block[] = [
    heading('One → two'),
    text('RFC 4787 §4.1: 1…3'),
    fields([
      ['Ports – all', 'block 2560–3071'],
      ['Least', { text: '≥ 1', tone: 'good' }],
    ]),
    grid(['A → B', 'C'], [['2–3', { text: '4…', tone: 'bad' }]]),
    ladder(
      ['A', 'B'],
      [
        { kind: 'packet', path: ['A', 'B'], label: '1.2.3.4 → 5.6.7.8' },
        { kind: 'packet', path: ['B', 'A'], label: 'x', lost: true },
        { kind: 'remark', text: 'a → b' },
      ],
    ),
  ];

  it.each([undefined, 40])('no block prints more, and columns stay straight, at width %s', async (columns) => {
    const shown = await renderText(blocks, dumb, columns);
    expect(shown).toMatch(/^[\x20-\x7e\n]+$/);
    expect(shown).toContain('RFC 4787 section 4.1: 1...3');
    expect(shown).toContain('block 2560-3071');
    expect(shown).toContain('| A -> B | C    |\n|--------|------|\n| 2-3    | 4... |');
    expect(shown).toContain('1.2.3.4 -> 5.6.7.8');
    expect(await renderText(blocks, theme, columns)).toContain('2560–3071');
  });

  it('nor does a note', () => {
    expect(renderNote('a → b', dumb, 80)).toBe('note: a -> b\n');
    expect(renderNote('a → b', theme, 80)).toBe('note: a → b\n');
  });

  it('the data of others stays as it is', async () => {
    expect(toAscii('müller→é')).toBe('müller->é');
    expect(await renderText([raw('a → b')], dumb, 80)).toBe('a → b\n');
  });
});

describe('wantsUnicode', () => {
  it.each([
    [{ LANG: 'en_GB.UTF-8' }, true],
    [{ LANG: 'C.utf8' }, true],
    [{ LANG: 'C' }, false],
    [{}, false],
    [{ LANG: 'en_GB.UTF-8', LC_ALL: 'C' }, false],
    [{ LANG: 'en_GB.UTF-8', TERM: 'dumb' }, false],
    [{ WT_SESSION: 'x' }, true],
  ])('%j: %j', (environment, expected) => {
    expect(wantsUnicode(environment)).toBe(expected);
  });
});
