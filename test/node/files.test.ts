import { execFileSync } from 'node:child_process';
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readInPieces } from '../../src/node/files.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nat-tool-files-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function whole(path: string): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of readInPieces(path)) parts.push(part);
  return Buffer.concat(parts).toString();
}

describe('reading', () => {
  it('a file, byte for byte', async () => {
    const text = 'ä\n'.repeat(100_000);
    await writeFile(join(folder, 'list'), text);
    expect(await whole(join(folder, 'list'))).toBe(text);
  });

  it('an empty file', async () => {
    await writeFile(join(folder, 'empty'), '');
    expect(await whole(join(folder, 'empty'))).toBe('');
  });

  it("fails with the system's error", async () => {
    await expect(whole(join(folder, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(whole(folder)).rejects.toMatchObject({ code: 'EISDIR' });
  });

  it.skipIf(process.platform === 'win32')('a pipe, to the end of its writer', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const [text] = await Promise.all([whole(pipe), appendFile(pipe, 'through the pipe')]);
    expect(text).toBe('through the pipe');
  });
});
