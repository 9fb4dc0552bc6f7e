/** Text of unknown origin and width. Pure. */

/** Makes control characters visible, so that what a server calls itself cannot steer the terminal. Line breaks stay when `lines`. */
export function visible(text: string, lines = false): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, (char) =>
    lines && char === '\n' ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const ASCII: Readonly<Record<string, string>> = {
  '–': '-',
  '—': '-',
  '−': '-',
  '…': '...',
  '→': '->',
  '←': '<-',
  '×': 'x',
  '≥': '>=',
  '≤': '<=',
  '§': 'section ',
  '‘': "'",
  '’': "'",
  '“': '"',
  '”': '"',
  '\u00a0': ' ',
};

/** Our own typography in ASCII, for terminals that show no more; letters of other scripts, which are somebody's data, stay. */
export const toAscii = (text: string): string => text.replace(/[–—−…→←×≥≤§‘’“”\u00a0]/g, (char) => ASCII[char] ?? char);

/** {@link toAscii} where the terminal needs it: before layout, for the widths change. */
export const typography = (unicode: boolean): ((text: string) => string) => (unicode ? (text) => text : toAscii);

/** Breaks between words into lines of at most `width`; a longer word keeps a line to itself, unbroken, so that addresses can be copied. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines: string[] = [];
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === '' ? word : `${line} ${word}`;
      }
    }
    return [...lines, line];
  });
}

/** {@link wrap} with every line behind `indent` spaces, the first behind `first`. */
export function indented(text: string, indent: number, width: number, first = ' '.repeat(indent)): string {
  return wrap(text, width - indent)
    .map((line, i) => ((i === 0 ? first : ' '.repeat(indent)) + line).trimEnd())
    .join('\n');
}
