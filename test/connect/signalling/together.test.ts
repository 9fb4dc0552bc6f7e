import { expect, it } from 'vitest';
import type { Signalling, SignallingListener, SignallingStatus } from '../../../src/connect/signalling/signalling.ts';
import { Together } from '../../../src/connect/signalling/together.ts';
import { NetError } from '../../../src/net/env.ts';

/** Two ways, and what a session hears of them. */
function scene() {
  const listeners: SignallingListener[] = [];
  const log: string[] = [];
  const way = (name: string): Signalling => ({
    subscribe: (listener) => listeners.push(listener),
    publish: (payload, settled) => log.push(`${name} says ${payload[0]} ${settled}`),
    refresh: () => log.push(`${name} asks`),
    close: () => log.push(`${name} ends`),
  });
  const together = new Together([way('one'), way('two')]);
  const heard: (SignallingStatus | 'unsendable' | 'peer')[] = [];
  together.subscribe({
    status: (status) => heard.push(status),
    unsendable: () => heard.push('unsendable'),
    peer: () => heard.push('peer'),
  });
  return { together, listeners: listeners as [SignallingListener, SignallingListener], heard, log };
}

it('says everything by every way', () => {
  const { together, log } = scene();
  together.publish(Uint8Array.of(7), true);
  together.refresh();
  together.close();
  expect(log).toEqual(['one says 7 true', 'two says 7 true', 'one asks', 'two asks', 'one ends', 'two ends']);
});

it('has failed only when all have', () => {
  const { listeners, heard } = scene();
  const [one, two] = listeners;
  one.status('silent');
  two.status('waiting');
  two.peer({ member: new Uint8Array(16), payload: new Uint8Array(), observed: undefined });
  expect(heard).toEqual(['waiting', 'peer']);
  two.status('refused');
  expect(heard.at(-1)).toBe('refused');
});

it('cannot send only when nothing can be sent by any way', () => {
  const { listeners, heard } = scene();
  const error = new NetError('unreachable', 'no route');
  listeners[0].unsendable(error);
  expect(heard).toEqual([]);
  listeners[1].unsendable(error);
  expect(heard).toEqual(['unsendable']);
});
