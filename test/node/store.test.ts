import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StoreError } from '../../src/net/env.ts';
import { fileStore, stateFolder } from '../../src/node/store.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array | undefined): string | undefined => data && new TextDecoder().decode(data);

describe('files that outlive a run', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'nat-tool-store-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('are found again, replaced, listed and removed', async () => {
    const place = join(folder, 'state', 'nat-tool');
    const store = fileStore(place);
    expect(await store.read('pairs/office')).toBeUndefined();
    expect(await store.list('pairs')).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
    await store.write('pairs/office', bytes('one'));
    await store.write('pairs/office', bytes('two'));
    await store.write('pairs/home', bytes('three'));
    expect(text(await fileStore(place).read('pairs/office'))).toBe('two');
    expect(await store.list('pairs')).toEqual(['home', 'office']);
    expect(await store.remove('pairs/office')).toBe(true);
    expect(await store.remove('pairs/office')).toBe(false);
    expect(await store.list('pairs')).toEqual(['home']);
  });

  it.skipIf(process.platform === 'win32')('are for their owner alone, their folders too', async () => {
    const place = join(folder, 'state', 'nat-tool');
    await fileStore(place).write('pairs/office', bytes('secret'));
    const mode = (...path: string[]): number => statSync(join(...path)).mode & 0o777;
    expect(mode(place, 'pairs', 'office')).toBe(0o600);
    expect([mode(place, 'pairs'), mode(place), mode(folder, 'state')]).toEqual([0o700, 0o700, 0o700]);
  });

  it('are whole for whoever reads while they are written', async () => {
    const store = fileStore(folder);
    const [a, b] = ['a', 'b'].map((letter) => bytes(letter.repeat(100_000)));
    await store.write('pairs/office', a as Uint8Array);
    const seen = new Set<string>();
    const writing = (async () => {
      for (let i = 0; i < 10; i++) await store.write('pairs/office', (i % 2 ? a : b) as Uint8Array);
    })();
    for (let i = 0; i < 30; i++) {
      const read = text(await store.read('pairs/office')) ?? '';
      seen.add(`${read.length} ${new Set(read).size}`);
    }
    await writing;
    expect([...seen]).toEqual(['100000 1']);
    expect(readdirSync(join(folder, 'pairs'))).toEqual(['office']);
  });

  it('say what is in the way, and leave nothing behind', async () => {
    writeFileSync(join(folder, 'pairs'), 'no folder');
    const store = fileStore(folder);
    const failed = await store.write('pairs/office', bytes('x')).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(StoreError);
    expect((failed as StoreError).message).toContain(folder);
    await expect(store.read('pairs/office')).rejects.toBeInstanceOf(StoreError);
    chmodSync(folder, 0o700);
  });

  it.each(['office', 'pairs/', '../x', 'pairs/../../x', 'pairs/.x', 'a/b/c', 'pairs/UPPER', `pairs/${'x'.repeat(65)}`])(
    'never lie elsewhere: %s',
    async (name) => {
      const store = fileStore(folder);
      await expect((async () => store.read(name))()).rejects.toThrow(RangeError);
      await expect((async () => store.write(name, bytes('x')))()).rejects.toThrow(RangeError);
    },
  );
});

describe('the place of the state', () => {
  it.each([
    ['linux', {}, '/home/u/.local/state/nat-tool'],
    ['linux', { XDG_STATE_HOME: '/var/lib' }, '/var/lib/nat-tool'],
    ['linux', { XDG_STATE_HOME: 'relative' }, '/home/u/.local/state/nat-tool'],
    ['darwin', {}, '/home/u/Library/Application Support/nat-tool'],
    ['darwin', { XDG_STATE_HOME: '/tmp/x' }, '/tmp/x/nat-tool'],
  ] as const)('%s %j', (platform, environment, place) => {
    expect(stateFolder(platform, environment, '/home/u')).toBe(place);
  });

  it('on Windows', () => {
    expect(stateFolder('win32', { LOCALAPPDATA: 'C:\\Users\\u\\AppData\\Local' }, 'C:\\Users\\u')).toBe(
      'C:\\Users\\u\\AppData\\Local\\nat-tool',
    );
    expect(stateFolder('win32', {}, 'C:\\Users\\u')).toBe('C:\\Users\\u\\AppData\\Local\\nat-tool');
  });
});
