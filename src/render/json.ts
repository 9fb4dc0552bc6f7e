/** JSON as it is printed: a document over several lines, or one line of a stream. Pure. */

// JSON.stringify leaves DEL and C1 as they are; a terminal may obey them.
const escaped = (json: string): string =>
  json.replace(/[\u007f-\u009f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

export const renderJson = (value: unknown): string => `${escaped(JSON.stringify(value, null, 2))}\n`;

export const renderJsonLine = (value: unknown): string => `${escaped(JSON.stringify(value))}\n`;
