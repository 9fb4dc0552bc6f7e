/**
 * The little XML that routers speak, as a tree. Pure.
 *
 * A reader of our own, not a library: routers break the rules that a strict parser holds them to (bare ampersands in
 * names, end tags that do not match, namespaces that are not declared), and what is dangerous in XML has no place here.
 * Attributes, comments and processing instructions are passed over, prefixes dropped; a DOCTYPE, and with it any entity
 * of one's own, is refused. Each character is looked at a bounded number of times.
 */

/** Text that is not even tolerable as XML. */
export class XmlError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'XmlError';
  }
}

export interface XmlElement {
  /** Without its prefix. */
  readonly name: string;
  /** Its own text, entities resolved, without white space around it. */
  readonly text: string;
  readonly children: readonly XmlElement[];
}

interface Open {
  readonly name: string;
  text: string;
  readonly children: Open[];
}

/** UPnP's own documents nest to ten. */
const MOST_DEPTH = 32;

/** What the document holds: one element as a rule. Throws XmlError. */
export function parseXml(text: string): XmlElement[] {
  const root: Open = { name: '', text: '', children: [] };
  const stack: Open[] = [root];
  const top = (): Open => stack[stack.length - 1] ?? root;
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf('<', at);
    if (open < 0) break;
    top().text += unescaped(text.slice(at, open));
    if (text.startsWith('<!--', open)) at = after(text, '-->', open + 4);
    else if (text.startsWith('<![CDATA[', open)) {
      const end = after(text, ']]>', open + 9);
      top().text += text.slice(open + 9, end - 3);
      at = end;
    } else if (text.startsWith('<?', open)) at = after(text, '?>', open + 2);
    else if (text.startsWith('<!', open)) throw new XmlError('a document type or an entity of its own');
    else {
      const end = endOfTag(text, open + 1);
      const tag = text.slice(open + 1, end - 1);
      at = end;
      if (tag.startsWith('/')) close(stack, localName(tag.slice(1)));
      else begin(stack, tag);
    }
  }
  return root.children.map(finished);
}

/** All elements of that name, at any depth, in the document's order. */
export function elementsNamed(elements: readonly XmlElement[], name: string): XmlElement[] {
  return elements.flatMap((each) => [...(each.name === name ? [each] : []), ...elementsNamed(each.children, name)]);
}

/** The text of the first child of that name. */
export const childText = ({ children }: XmlElement, name: string): string | undefined =>
  children.find((each) => each.name === name)?.text;

const ESCAPES: readonly (readonly [RegExp, string])[] = [
  [/&/g, '&amp;'],
  [/</g, '&lt;'],
  [/>/g, '&gt;'],
];

/** Text for between two tags. */
export const escapeXml = (text: string): string =>
  ESCAPES.reduce((escaped, [pattern, entity]) => escaped.replace(pattern, entity), text);

function begin(stack: Open[], tag: string): void {
  const name = localName(tag);
  if (name === '') throw new XmlError('a tag without a name');
  const element: Open = { name, text: '', children: [] };
  stack[stack.length - 1]?.children.push(element);
  if (tag.endsWith('/')) return;
  if (stack.length > MOST_DEPTH) throw new XmlError(`elements nest deeper than ${MOST_DEPTH}`);
  stack.push(element);
}

/** Closes what the tag names and all inside it; a tag that closes nothing is passed over. */
function close(stack: Open[], name: string): void {
  const at = stack.findLastIndex((each) => each.name === name);
  if (at > 0) stack.length = at;
}

const finished = ({ name, text, children }: Open): XmlElement => ({
  name,
  text: text.trim(),
  children: children.map(finished),
});

const localName = (tag: string): string => /^(?:[^\s/:]{1,64}:)?([^\s/:]{1,64})/.exec(tag)?.[1] ?? '';

function after(text: string, end: string, from: number): number {
  const at = text.indexOf(end, from);
  if (at < 0) throw new XmlError('the document ends within a tag');
  return at + end.length;
}

/** Past the `>`, which may stand in a quoted value. */
function endOfTag(text: string, from: number): number {
  let quote = '';
  for (let at = from; at < text.length; at++) {
    const character = text[at] as string;
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (character === '>') return at + 1;
  }
  throw new XmlError('the document ends within a tag');
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The five entities of XML itself and numbers; whatever else looks like one stays as it is. */
function unescaped(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,4}));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return Object.hasOwn(NAMED, name) ? (NAMED[name] as string) : whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
