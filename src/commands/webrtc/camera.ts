/** The browser's camera in the terminal, until it is stopped there, closed in the browser, or the path dies. */
import type { Clock } from '../../net/env.ts';
import { toMicroseconds } from '../../net/round.ts';
import type { DataChannel } from '../../webrtc/channel.ts';
import type { Context } from '../command.ts';
import { decodeFrame, type Frame, linesOf, type Size, sizeIn } from './frame.ts';
import type { Visit } from './visit.ts';

/** Asked of the browser, frames a second. */
const RATE = 30;
/** For permission, which somebody has to give, and the first frame. */
const START_MS = 120_000;
/** How often it is looked whether the window has another size. */
const LOOK_MS = 500;
/** Where there is no window. */
const USUAL: Size = { width: 80, height: 30 };

export interface CameraData {
  readonly frames: number;
  /** By their numbers: those that did not come. */
  readonly missed: number;
  readonly framesPerSecond: number | null;
  readonly width: number;
  readonly height: number;
  /** Why there was no picture, in the browser's words. */
  readonly why: string | null;
}

type Screen = Pick<Context, 'form' | 'io' | 'colour'>;

/** Resolves when it is over, by whomever; the signal ends it too. */
export async function showCamera(
  visit: Visit,
  clock: Clock,
  wanted: Size | 'window',
  screen: Screen,
  signal: AbortSignal,
): Promise<CameraData> {
  const camera = new Camera(clock, wanted, screen);
  const { facts } = visit;
  visit.tell('camera', { ...camera.size, rate: RATE, colour: screen.colour === true });
  const isOver = (): boolean => facts.ended !== undefined || facts.left || visit.noCamera !== undefined;
  const channel = (): DataChannel | undefined => visit.channels.find(({ label }) => label === 'camera');
  try {
    await facts.gate.wait(() => channel()?.state === 'open' || isOver(), START_MS, signal);
    const opened = channel();
    if (opened) {
      opened.onMessage = (data) => typeof data !== 'string' && camera.frame(data);
      opened.onClose = () => facts.gate.notify();
      while (!isOver() && opened.state === 'open') {
        await facts.gate.wait(() => isOver() || opened.state !== 'open', LOOK_MS, signal);
        if (opened.state === 'open' && camera.resized())
          opened.send(JSON.stringify({ ...camera.size, colour: screen.colour === true }));
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  await camera.end();
  return camera.data(visit.noCamera ?? null);
}

class Camera {
  readonly #clock: Clock;
  readonly #wanted: Size | 'window';
  readonly #screen: Screen;
  size: Size;
  #frames = 0;
  #missed = 0;
  #last = -1;
  #first: number | undefined;
  #latest = 0;
  #drawing: Promise<void> | undefined;
  #shown: Frame | undefined;

  constructor(clock: Clock, wanted: Size | 'window', screen: Screen) {
    this.#clock = clock;
    this.#wanted = wanted;
    this.#screen = screen;
    this.size = this.#fit();
  }

  #fit(): Size {
    const window = this.#screen.io.window?.();
    return this.#wanted === 'window' ? (window ? sizeIn(window) : USUAL) : this.#wanted;
  }

  /** Whether it has another size than before. */
  resized(): boolean {
    const { width, height } = this.#fit();
    if (width === this.size.width && height === this.size.height) return false;
    this.size = { width, height };
    return true;
  }

  frame(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (!frame || frame.sequence <= this.#last) return;
    const now = this.#clock.now();
    this.#first ??= now;
    this.#missed += this.#last < 0 ? 0 : frame.sequence - this.#last - 1;
    this.#last = frame.sequence;
    this.#latest = now;
    this.#frames++;
    // A terminal that is slow gets fewer.
    if (this.#drawing || this.#screen.form !== 'text' || !this.#screen.io.stdoutIsTTY) return;
    this.#drawing = this.#draw(frame).finally(() => (this.#drawing = undefined));
  }

  async #draw(frame: Frame): Promise<void> {
    // What was there before is wiped, and the cursor hidden, with the first frame and each of another size.
    const anew = this.#shown?.width !== frame.width || this.#shown.height !== frame.height;
    this.#shown = frame;
    const start = anew ? '\u001b[?25l\u001b[2J\u001b[H' : '\u001b[H';
    await this.#screen.io.stdout.write(`${start}${linesOf(frame).join('\u001b[K\n')}\u001b[K`);
  }

  /** The last picture stays, and the cursor is behind it. */
  async end(): Promise<void> {
    await this.#drawing;
    if (this.#shown) await this.#screen.io.stdout.write(`\u001b[0m\u001b[?25h\n`);
  }

  data(why: string | null): CameraData {
    const seconds = this.#first === undefined ? 0 : (this.#latest - this.#first) / 1000;
    const framesPerSecond =
      this.#frames > 1 && seconds > 0 ? Math.round(toMicroseconds(((this.#frames - 1) / seconds) * 10)) / 10 : null;
    return { frames: this.#frames, missed: this.#missed, framesPerSecond, ...this.size, why };
  }
}
