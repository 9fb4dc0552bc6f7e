import { describe, expect, it } from 'vitest';
import { cachePlace, isOwn } from '../../src/node/compile-cache.ts';

describe('the cache of compiled code', () => {
  it.each([
    ['linux', { HOME: '/home/a' }, '/home/a|.cache|nat-tool'],
    ['linux', { HOME: '/home/a', XDG_CACHE_HOME: '/cache' }, '/cache|nat-tool'],
    ['linux', { HOME: '/home/a', XDG_CACHE_HOME: 'relative' }, '/home/a|.cache|nat-tool'],
    ['freebsd', { HOME: '/home/a' }, '/home/a|.cache|nat-tool'],
    ['darwin', { HOME: '/Users/a', XDG_CACHE_HOME: '/cache' }, '/Users/a|Library|Caches|nat-tool'],
    ['win32', { LOCALAPPDATA: 'C:\\Users\\a\\AppData\\Local', HOME: '/x' }, 'C:\\Users\\a\\AppData\\Local|nat-tool'],
  ] as const)('lies on %s with %j in %s', (platform, environment, directory) => {
    expect(cachePlace(platform, environment)?.join('|')).toBe(directory);
  });

  it.each([
    ['linux', {}],
    ['linux', { HOME: '' }],
    ['linux', { HOME: 'home' }],
    ['win32', { HOME: 'C:\\Users\\a' }],
  ] as const)('is nowhere on %s with %j, above all not among the temporary files', (platform, environment) => {
    expect(cachePlace(platform, environment)).toBeUndefined();
  });

  it('is used only where nobody else can put code', () => {
    expect(isOwn({ uid: 1000, mode: 0o40700 }, 1000)).toBe(true);
    expect(isOwn({ uid: 1000, mode: 0o40755 }, 1000)).toBe(true);
    expect(isOwn({ uid: 1000, mode: 0o40700 }, 0)).toBe(false);
    expect(isOwn({ uid: 1000, mode: 0o40770 }, 1000)).toBe(false);
    expect(isOwn({ uid: 1000, mode: 0o41777 }, 1000)).toBe(false);
    expect(isOwn({ uid: 0, mode: 0o40777 }, undefined)).toBe(true);
  });
});
