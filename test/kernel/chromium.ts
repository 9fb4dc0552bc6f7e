/** Chromium in a namespace, driven over its pipe by the DevTools protocol: pages are opened, looked at, closed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { environment } from './environment.ts';
import type { Host } from './internet.ts';

const FLAGS = [
  '--no-sandbox',
  '--headless=new',
  '--remote-debugging-pipe',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-gpu',
  '--disable-dev-shm-usage',
];

/** A last resort against what hangs. */
const STUCK_MS = 20_000;

interface Answer {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** A running browser. {@link close} it. */
export class Chromium {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #commands: Writable;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #closed: Promise<void>;
  #serial = 0;
  ended = false;

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    const [, , , commands, events] = child.stdio;
    this.#commands = commands as Writable;
    this.#commands.on('error', () => {});
    let rest = '';
    (events as Readable).setEncoding('utf8').on('data', (piece: string) => {
      const parts = (rest + piece).split('\0');
      rest = parts.pop() ?? '';
      for (const part of parts) {
        const answer = JSON.parse(part) as Answer;
        if (answer.id !== undefined) this.#waiting.get(answer.id)?.(answer);
      }
    });
    this.#closed = new Promise((resolve) =>
      child.once('close', () => {
        this.ended = true;
        resolve();
      }),
    );
  }

  /** `flags`: beside the usual ones. Never outside of a closed namespace. */
  static async start(host: Host, flags: readonly string[] = []): Promise<Chromium> {
    const profile = mkdtempSync(join(tmpdir(), 'nat-tool-chromium-'));
    const line = [
      'netns',
      'exec',
      host.namespace,
      'chromium',
      ...FLAGS,
      ...flags,
      `--user-data-dir=${profile}`,
      'about:blank',
    ];
    const child = spawn('ip', line, { env: environment, stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
    const browser = new Chromium(child, profile);
    await browser.call('Target.getTargets');
    return browser;
  }

  async call(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const id = ++this.#serial;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#commands.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const gone = this.#closed.then((): Answer => ({ error: { message: 'the browser has ended' } }));
    const { result, error } = await Promise.race([answered, gone]);
    this.#waiting.delete(id);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result as Record<string, unknown>;
  }

  /** A new tab there. */
  async open(url: string): Promise<Tab> {
    const { targetId } = await this.call('Target.createTarget', { url });
    const { sessionId } = await this.call('Target.attachToTarget', { targetId, flatten: true });
    return new Tab(this, String(targetId), String(sessionId));
  }

  /** Its helpers write into the profile until they have ended too: so it ends by itself, and by force where it hangs. */
  async close(): Promise<void> {
    const force = setTimeout(() => this.#child.kill('SIGKILL'), STUCK_MS);
    await this.call('Browser.close').catch(() => {});
    await this.#closed;
    clearTimeout(force);
    try {
      rmSync(this.#profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    } catch {
      // A helper of the browser still writes: what it leaves is the system's to clean.
    }
  }
}

export class Tab {
  readonly #browser: Chromium;
  readonly #target: string;
  readonly #session: string;

  constructor(browser: Chromium, target: string, session: string) {
    this.#browser = browser;
    this.#target = target;
    this.#session = session;
  }

  /** What the expression comes to in the page, promises awaited. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.#browser.call(
      'Runtime.evaluate',
      { expression, awaitPromise: true, returnByValue: true },
      this.#session,
    );
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  }

  /** Resolves once the expression is true in the page, which may be loading, or loaded anew. Bounded by the test. */
  async until(expression: string): Promise<void> {
    for (;;) {
      const is = await this.evaluate<boolean>(`Boolean(${expression})`).catch((error: Error) => {
        if (this.#browser.ended) throw error;
        return false;
      });
      if (is) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  reload(): Promise<unknown> {
    return this.#browser.call('Page.reload', {}, this.#session);
  }

  close(): Promise<unknown> {
    return this.#browser.call('Target.closeTarget', { targetId: this.#target });
  }

  /** A PNG of the whole page as a screen of that width shows it. */
  async screenshot(width: number, scheme: 'light' | 'dark' = 'light'): Promise<Buffer> {
    await this.#browser.call(
      'Emulation.setEmulatedMedia',
      { features: [{ name: 'prefers-color-scheme', value: scheme }] },
      this.#session,
    );
    const metrics = { width, height: 900, deviceScaleFactor: 1, mobile: width < 600 };
    await this.#browser.call('Emulation.setDeviceMetricsOverride', metrics, this.#session);
    const { data } = await this.#browser.call(
      'Page.captureScreenshot',
      { format: 'png', captureBeyondViewport: true },
      this.#session,
    );
    return Buffer.from(String(data), 'base64');
  }
}
