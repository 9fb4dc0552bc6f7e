import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/net/env.ts';
import { createProgress } from '../../src/render/progress.ts';
import { showsProgress } from '../../src/render/theme.ts';

/** Patience is over at once. */
const clock: Clock = {
  now: () => 0,
  date: () => new Date(0),
  after: (_ms, action) => {
    queueMicrotask(action);
    return () => {};
  },
};

function screenOf(columns: number | undefined) {
  const screen = { written: '', width: columns, drawn: () => {} };
  return {
    screen,
    progress: createProgress(clock, {
      write: (text) => {
        screen.written += text;
        screen.drawn();
      },
      columns: () => screen.width,
    }),
    drawn: () =>
      new Promise<void>((resolve) => {
        screen.drawn = resolve;
      }),
  };
}

const plain = (text: string): string => text.replace(/\u001b\[[?\d;]*[A-Za-z]/g, '');

describe('progress', () => {
  it('draws one line, and removes it', async () => {
    const { screen, progress, drawn } = screenOf(80);
    progress.show('asking 3 servers');
    await drawn();
    progress.stop();
    expect(plain(screen.written)).toMatch(/^\S asking 3 servers$/);
    expect(screen.written).toContain('\u001b[K');
  });

  it('is gone while nothing is waited for, and comes back', async () => {
    const { screen, progress, drawn } = screenOf(80);
    progress.show('asking');
    await drawn();
    progress.show('');
    screen.written = '';
    progress.aside(() => (screen.written += 'Connected\n'));
    expect(plain(screen.written)).toBe('Connected\n');
    const again = drawn();
    progress.show('1 MB sent');
    await again;
    progress.stop();
    expect(plain(screen.written)).toContain('1 MB sent');
  });

  it.each([0, undefined])('draws nothing on a terminal of %s columns', async (columns) => {
    const { screen, progress } = screenOf(columns);
    progress.show('asking');
    await import('ora');
    progress.aside(() => {});
    progress.show('still asking');
    progress.stop();
    expect(screen.written).toBe('');
  });

  it.each([0, 1, 2, 3, 4, 20])(
    'never draws more than one line, nor clears without end, when resized to %i columns',
    async (columns) => {
      const { screen, progress, drawn } = screenOf(80);
      progress.show('x'.repeat(1000));
      await drawn();
      screen.width = columns;
      progress.show('y'.repeat(1000));
      screen.written = '';
      for (let i = 0; i < 3; i++) progress.aside(() => {});
      progress.stop();
      expect(screen.written.length).toBeLessThan(1000);
      expect(plain(screen.written).match(/y/g)?.length ?? 0).toBeLessThanOrEqual(3 * columns);
    },
  );
});

it('shows progress neither on paper nor in CI', () => {
  expect(showsProgress({ TERM: 'xterm' })).toBe(true);
  expect(showsProgress({ TERM: 'dumb' })).toBe(false);
  expect(showsProgress({ TERM: 'xterm', CI: 'true' })).toBe(false);
});
