import { describe, expect, it } from 'vitest';
import { isStoreName, memoryStore, partsOf } from '../../src/net/store.ts';

describe('a store in memory', () => {
  it('keeps copies under checked names', async () => {
    const store = memoryStore();
    const data = Uint8Array.of(1, 2);
    await store.write('pairs/b', data);
    await store.write('pairs/a', data);
    await store.write('other/c', data);
    data[0] = 9;
    expect(await store.read('pairs/b')).toEqual(Uint8Array.of(1, 2));
    expect(await store.list('pairs')).toEqual(['a', 'b']);
    expect(await store.remove('pairs/a')).toBe(true);
    expect(await store.remove('pairs/a')).toBe(false);
    await expect(store.read('pairs')).rejects.toThrow(RangeError);
  });
});

describe('names in a store', () => {
  it('have two parts of plain letters', () => {
    expect(partsOf('pairs/my-host.2')).toEqual(['pairs', 'my-host.2']);
    for (const bad of ['', 'a', '/a', 'a/', '.a/b', 'a/-b', 'a/b/c', 'a/B'])
      expect(() => partsOf(bad)).toThrow(RangeError);
    expect(isStoreName('x'.repeat(64))).toBe(true);
    expect(isStoreName('x'.repeat(65))).toBe(false);
  });
});
