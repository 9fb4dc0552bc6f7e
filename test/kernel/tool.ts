/** The tool itself, as its users run it: the built command line in a namespace. */
import { fileURLToPath } from 'node:url';
import type { Host } from './internet.ts';
import type { Finished, Running, RunOptions } from './process.ts';

export const bin = fileURLToPath(new URL('../../bin/nat-tool.js', import.meta.url));

export const natTool = (host: Host, args: readonly string[], options?: RunOptions): Promise<Finished> =>
  host.run(['node', bin, ...args], options);

export interface Json {
  readonly schema: string;
  readonly outcome: string;
  readonly data: Record<string, unknown>;
  readonly findings: readonly { readonly kind: string; readonly text: string }[];
}

/** Runs it with `--json` and reads the one document. */
export async function report(
  host: Host,
  args: readonly string[],
  options?: RunOptions,
): Promise<{ readonly code: number | null; readonly report: Json }> {
  const finished = await natTool(host, [...args, '--json'], options);
  try {
    return { code: finished.code, report: JSON.parse(finished.stdout) as Json };
  } catch (error) {
    throw new Error(`exit ${finished.code}, and no JSON:\n${finished.stdout}\n${finished.stderr}`, { cause: error });
  }
}

/** Starts `nat-tool serve` with RFC 5780 on the first two addresses of a host, and waits until it listens on all four endpoints. */
export async function startServe(host: Host): Promise<Running> {
  const [address = '', alternate = ''] = host.addresses;
  const server = host.start(['node', bin, 'serve', '--json', '-s', address, '-s', alternate]);
  await server.until(/(?:"listening".*"udp".*\n[\s\S]*){4}/);
  return server;
}

/** `connect --check` on two hosts with one fresh code, meeting at this server. */
/** `words`: for the first of the two; `others`: for the second. */
export async function connectBoth(
  a: Host,
  b: Host,
  server: string,
  words: readonly string[] = [],
  others: readonly string[] = [],
): Promise<(Json & { code: number | null })[]> {
  const code = (await natTool(a, ['connect', '--generate'])).stdout.trim();
  const side = (host: Host, more: readonly string[] = []): Promise<Finished> =>
    natTool(host, ['connect', '--check', '--json', '--server', server, ...more], { env: { NAT_TOOL_CODE: code } });
  const both = await Promise.all([side(a, words), side(b, others)]);
  return both.map((each) => {
    if (!each.stdout.startsWith('{')) throw new Error(`exit ${each.code}: ${each.stderr}`);
    return { ...(JSON.parse(each.stdout) as Json), code: each.code };
  });
}
