/** Text of unknown origin and width. Pure. */

/**
 * The one place that decides what may be shown: control characters are made visible, line breaks among them, so that what somebody else wrote
 * can neither steer the terminal nor begin a line of its own. What consists of several lines is several texts.
 */
export const visible = (text: string): string =>
  text.replace(
    /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** What of a text has been laid out and painted already: its line breaks, tabs and colours stay, the rest is made {@link visible}. */
export const visibleOutput = (output: string): string =>
  output
    .split(/([\n\t]|\u001b\[[\d;]{0,20}m)/)
    .map((part, i) => (i % 2 === 1 ? part : visible(part)))
    .join('');

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
