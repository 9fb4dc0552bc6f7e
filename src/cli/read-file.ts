/** Files that the command line names. */
import { UsageError } from '../commands/command.ts';
import { itemsUntilAborted } from '../net/wait.ts';
import type { Host } from './host.ts';

/** Larger than any list or report; whatever goes on longer, such as a device, was named by mistake. */
const LARGEST_FILE = 64 * 1024 * 1024;

export async function readFile(path: string, most = LARGEST_FILE, host: Host): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of itemsUntilAborted(path === '-' ? host.io.stdin : host.readFile(path), host.signal)) {
      parts.push(part);
      size += part.length;
      if (size > most)
        throw new UsageError(
          `${path === '-' ? 'standard input' : `'${path}'`} is too large: more than ${most / 1024 / 1024} MiB`,
        );
    }
  } catch (error) {
    if (host.signal.aborted || error instanceof UsageError) throw error;
    throw new UsageError(
      `cannot read ${path === '-' ? 'standard input' : `'${path}'`}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  return Buffer.concat(parts);
}
