import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Connections } from '../../src/net/connections.ts';

/** A table, and who was closed by it, in order. */
function table(limits: ConstructorParameters<typeof Connections>[0]) {
  const closed: string[] = [];
  const connections = new Connections<{ readonly name: string; close(): void }>(limits);
  const add = (name: string, address: string) => {
    const stream = { name, close: () => void closed.push(name) };
    connections.add(stream, address);
    return stream;
  };
  return { connections, closed, add };
}

function countsOf(names: readonly string[]): number[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts.values()];
}

describe('Connections', () => {
  it('closes the idlest of a source that has its share, not another', () => {
    const { add, closed, connections } = table({ total: 100, ofSource: 2, ofNetwork: 100 });
    add('other', '192.0.2.9');
    const first = add('first', '192.0.2.1');
    add('second', '192.0.2.1');
    connections.active(first);
    add('third', '192.0.2.1');
    expect(closed).toEqual(['second']);
  });

  it('closes the idlest of a network that has its share', () => {
    const { add, closed } = table({ total: 100, ofSource: 100, ofNetwork: 3 });
    add('far', '198.51.100.1');
    for (const host of [1, 2, 3, 4]) add(`near ${host}`, `192.0.2.${host}`);
    for (const net of [1, 2, 3, 4]) add(`six ${net}`, `2001:db8:1:${net}::1`);
    expect(closed).toEqual(['near 1', 'six 1']);
  });

  it('when full, takes from the network that holds most', () => {
    const { add, closed } = table({ total: 4, ofSource: 100, ofNetwork: 100 });
    add('honest', '198.51.100.1');
    for (const host of [1, 2, 3]) add(`idle ${host}`, `192.0.2.${host}`);
    add('newcomer', '203.0.113.1');
    add('another', '203.0.114.1');
    expect(closed).toEqual(['idle 1', 'idle 2']);
  });

  it('never holds more than its limits, and forgets who left', () => {
    const limits = { total: 20, ofSource: 3, ofNetwork: 8 };
    const step = fc.tuple(fc.nat(3), fc.nat(5), fc.nat(2));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const held = new Map<{ close(): void }, string>();
        const connections = new Connections<{ close(): void }>(limits);
        for (const [net, host, what] of steps) {
          const [oldest] = held.keys();
          if (what === 0 && oldest) {
            connections.remove(oldest);
            held.delete(oldest);
          } else if (what === 1 && oldest) connections.active(oldest);
          else {
            const stream = { close: () => void held.delete(stream) };
            connections.add(stream, `192.0.${net}.${host}`);
            held.set(stream, `192.0.${net}.${host}`);
          }
          const counts = countsOf([...held.values()]);
          const nets = countsOf([...held.values()].map((each) => each.slice(0, 7)));
          expect(connections.size).toBe(held.size);
          expect(held.size).toBeLessThanOrEqual(limits.total);
          for (const each of counts) expect(each).toBeLessThanOrEqual(limits.ofSource);
          for (const each of nets) expect(each).toBeLessThanOrEqual(limits.ofNetwork);
        }
      }),
    );
  });
});
