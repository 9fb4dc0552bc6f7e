/**
 * V8's code for our own modules, kept between runs (Node ≥ 22.1): a second start parses nothing again.
 *
 * What lies there is executed, so the place must be one's own. Node's default is a well-known name in the directory of temporary
 * files, where anybody may have been first; and under `sudo` the home may still be that of whoever asked.
 */

/** Where programs of this system keep what can be made again: a directory that must exist, and the ones below it to make. */
export function cachePlace(
  platform: NodeJS.Platform,
  environment: Readonly<Record<string, string | undefined>>,
): readonly [base: string, ...below: string[]] | undefined {
  const { posix, win32 } = process.getBuiltinModule('node:path');
  const { isAbsolute } = platform === 'win32' ? win32 : posix;
  const { LOCALAPPDATA: local, HOME: home, XDG_CACHE_HOME: xdg } = environment;
  if (platform === 'win32') return local !== undefined && isAbsolute(local) ? [local, 'nat-tool'] : undefined;
  if (platform !== 'darwin' && xdg !== undefined && isAbsolute(xdg)) return [xdg, 'nat-tool'];
  if (home === undefined || !isAbsolute(home)) return undefined;
  return platform === 'darwin' ? [home, 'Library', 'Caches', 'nat-tool'] : [home, '.cache', 'nat-tool'];
}

/** Keeps compiled code where it is safe to. Never fails: without a cache the start is a little slower, and that is all. */
export function enableCompileCache(environment: Readonly<Record<string, string | undefined>>): void {
  // Whoever set these has decided; Node heeds the first by itself.
  if (environment['NODE_COMPILE_CACHE'] || environment['NODE_DISABLE_COMPILE_CACHE']) return;
  try {
    const { enableCompileCache: enable } = process.getBuiltinModule('node:module') as {
      // Unknown to the types of the oldest Node that we run on.
      readonly enableCompileCache?: (directory: string) => unknown;
    };
    const place = cachePlace(process.platform, environment);
    if (enable === undefined || place === undefined) return;
    const { existsSync, mkdirSync, statSync } = process.getBuiltinModule('node:fs');
    const { join } = process.getBuiltinModule('node:path');
    const { uid } = statSync(place[0]);
    // One by one: where nothing can be made, such as in /proc, Node's own `recursive` tries for ever.
    let directory: string = place[0];
    for (const name of place.slice(1)) {
      directory = join(directory, name);
      if (!existsSync(directory)) mkdirSync(directory, 0o700);
    }
    const user = process.geteuid?.();
    if ((user === undefined || uid === user) && isOwn(statSync(directory), user)) enable(directory);
  } catch {
    // Read-only, full, or not ours.
  }
}

/** Owned by this user (undefined on Windows, which keeps others out of a profile by itself), and writable by nobody else. */
export const isOwn = (
  { uid, mode }: { readonly uid: number; readonly mode: number },
  user: number | undefined,
): boolean => user === undefined || (uid === user && (mode & 0o022) === 0);
