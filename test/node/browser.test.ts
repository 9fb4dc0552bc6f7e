import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openInBrowser } from '../../src/node/browser.ts';

const LINK = "http://127.0.0.1:8080/a;touch%20b/$(id)'";

describe.runIf(process.platform === 'linux')('opening a link', () => {
  const path = process.env['PATH'];
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'nat-tool-browser-'));
    process.env['PATH'] = directory;
  });
  afterEach(() => {
    process.env['PATH'] = path;
    rmSync(directory, { recursive: true, force: true });
  });

  it("hands it to the system's opener as it is: no shell reads it", async () => {
    const [told, done] = [join(directory, 'told'), join(directory, 'done')];
    writeFileSync(join(directory, 'xdg-open'), `#!/bin/sh\nprintf '%s' "$1" > ${told}\n: > ${done}\n`, { mode: 0o755 });
    expect(await openInBrowser(LINK)).toBe(true);
    while (!existsSync(done)) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(readFileSync(told, 'utf8')).toBe(LINK);
  });

  it('says so where there is none', async () => {
    expect(await openInBrowser(LINK)).toBe(false);
  });
});
