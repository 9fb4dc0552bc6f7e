/** Files that list servers. */
import type { StunServerName } from '../../stun/uri.ts';
import { parseAnyStun } from '../arguments.ts';
import { UsageError } from '../command.ts';

/** Servers in one list. Each costs memory until the last has answered. */
const MOST_LISTED = 10_000;

/** Of a list, in bytes: longer names than there are, and remarks. */
export const LARGEST_LIST = 16 * 1024 * 1024;

/** One server a line; blank lines and what follows # do not count. */
export function parseServerList(content: string, file: string): StunServerName[] {
  const names: StunServerName[] = [];
  for (const [i, line] of content.split(/\r?\n/).entries()) {
    const [host, port, ...more] = line
      .replace(/(^|\s)#.*$/, '')
      .trim()
      .split(/\s+/);
    if (!host) continue;
    if (names.length === MOST_LISTED)
      throw new UsageError(`${file}, line ${i + 1}: more than ${MOST_LISTED} servers`, 'Ask them in several runs.');
    if (more.length > 0) throw UsageError.expected(`${file}, line ${i + 1}`, 'one server', line.trim());
    names.push(
      parseAnyStun(
        port === undefined ? host : `${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`,
        `${file}, line ${i + 1}`,
      ),
    );
  }
  return names;
}
