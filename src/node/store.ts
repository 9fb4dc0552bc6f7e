/** What is remembered from run to run, as files that only their owner can read. */
import { type Store, StoreError } from '../net/env.ts';
import { partsOf } from '../net/store.ts';
import { nodeRandom } from './random.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where programs keep their state: XDG_STATE_HOME (XDG Base Directory 0.8) on every system, else each system's own place. */
export function stateFolder(platform: NodeJS.Platform, environment: Environment, home: string): string {
  const path = process.getBuiltinModule('node:path')[platform === 'win32' ? 'win32' : 'posix'];
  const { XDG_STATE_HOME: xdg, LOCALAPPDATA: local } = environment;
  // A relative one is to be ignored.
  if (xdg && path.isAbsolute(xdg)) return path.join(xdg, 'nat-tool');
  if (platform === 'win32') return path.join(local || path.join(home, 'AppData', 'Local'), 'nat-tool');
  if (platform === 'darwin') return path.join(home, 'Library', 'Application Support', 'nat-tool');
  return path.join(home, '.local', 'state', 'nat-tool');
}

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** Nothing is made before something is written. */
export function fileStore(place: string): Store {
  const { join } = process.getBuiltinModule('node:path');
  const { promises: fs } = process.getBuiltinModule('node:fs');
  const pathOf = (name: string): string => join(place, ...partsOf(name));
  return {
    place,
    read: (name) => unlessAbsent(place, undefined, () => fs.readFile(pathOf(name))),
    remove: (name) => unlessAbsent(place, false, () => fs.unlink(pathOf(name)).then(() => true)),
    write: async (name, data) => {
      const path = pathOf(name);
      // Beside it: only within one file system is a renaming atomic.
      const passing = `${path}.${Buffer.from(nodeRandom.bytes(6)).toString('hex')}~`;
      await told(place, async () => {
        await fs.mkdir(join(path, '..'), { recursive: true, mode: FOLDER_MODE });
        try {
          const file = await fs.open(passing, 'wx', FILE_MODE);
          try {
            await file.writeFile(data);
            // What is renamed before it is on the disk may be empty after a power cut.
            await file.sync();
          } finally {
            await file.close();
          }
          await fs.rename(passing, path);
        } catch (error) {
          await fs.rm(passing, { force: true });
          throw error;
        }
      });
    },
    list: (kind) =>
      unlessAbsent(place, [], async () =>
        (await fs.readdir(join(place, kind))).filter((name) => !name.endsWith('~')).sort(),
      ),
  };
}

async function unlessAbsent<T, A>(place: string, absent: A, act: () => Promise<T>): Promise<T | A> {
  return told(place, act, (code) => (code === 'ENOENT' ? { instead: absent } : undefined));
}

async function told<T, A = never>(
  place: string,
  act: () => Promise<T>,
  instead: (code: string | undefined) => { readonly instead: A } | undefined = () => undefined,
): Promise<T | A> {
  try {
    return await act();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const other = instead(code);
    if (other) return other.instead;
    if (code === undefined) throw error;
    throw new StoreError(`${place} cannot be used: ${message}`, code, error);
  }
}

/** Of the user that runs this; where it is, is found out when it is used first. */
export const nodeStore: Store = {
  get place() {
    return actual().place;
  },
  read: (name) => actual().read(name),
  write: (name, data) => actual().write(name, data),
  remove: (name) => actual().remove(name),
  list: (kind) => actual().list(kind),
};

let found: Store | undefined;
const actual = (): Store =>
  (found ??= fileStore(stateFolder(process.platform, process.env, process.getBuiltinModule('node:os').homedir())));
