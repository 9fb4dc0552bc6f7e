/** Names in a store, and a store that lasts as long as the process. */
import type { Store } from './env.ts';

const PART = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** Whether it can be a part of a name in a {@link Store}. */
export const isStoreName = (part: string): boolean => PART.test(part);

/** The parts of `kind/name`. Throws RangeError. */
export function partsOf(name: string): readonly [kind: string, name: string] {
  const [kind = '', own = '', ...more] = name.split('/');
  if (more.length > 0 || !isStoreName(kind) || !isStoreName(own)) throw new RangeError(`no name in a store: ${name}`);
  return [kind, own];
}

/** In memory. */
export function memoryStore(): Store {
  const files = new Map<string, Uint8Array>();
  const checked = (name: string): string => partsOf(name).join('/');
  return {
    place: 'memory',
    read: async (name) => files.get(checked(name))?.slice(),
    write: async (name, data) => void files.set(checked(name), data.slice()),
    remove: async (name) => files.delete(checked(name)),
    list: async (kind) =>
      [...files.keys()]
        .filter((name) => name.startsWith(`${kind}/`))
        .map((name) => name.slice(kind.length + 1))
        .sort(),
  };
}
