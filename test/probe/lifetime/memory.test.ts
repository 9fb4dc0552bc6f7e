import { describe, expect, it } from 'vitest';
import { type Env, StoreError } from '../../../src/net/env.ts';
import { memoryStore } from '../../../src/net/store.ts';
import type { Lifetime } from '../../../src/probe/lifetime/conclude.ts';
import { keepaliveAt, recall, remember } from '../../../src/probe/lifetime/memory.ts';

const { signal } = new AbortController();
const DAY_MS = 86_400_000;

/** A world whose date and router can be changed. */
function world(over: Partial<Env['store']> = {}) {
  const state = { now: Date.UTC(2026, 0, 1), gateway: '192.168.1.1' };
  const env = {
    clock: { now: () => 0, date: () => new Date(state.now), after: () => () => {} },
    gateways: async () => [
      { family: 4 as const, address: state.gateway, interface: 'eth0' },
      { family: 6 as const, address: 'fe80::1%eth0', interface: 'eth0' },
    ],
    store: { ...memoryStore(), ...over },
  };
  return { env, state };
}

const found = (aliveMs: number): Lifetime =>
  ({
    holes: [{ after: 'one-packet', aliveMs, deadMs: aliveMs + 1_000, likelyMs: null }],
    keepaliveMs: { answered: null, unanswered: aliveMs / 2 },
  }) as unknown as Lifetime;

describe('the memory of lifetimes', () => {
  it('knows a network by its router and its public address', async () => {
    const { env, state } = world();
    await remember(env, found(30_000), '12.13.14.15', signal);
    expect(await recall(env, '12.13.14.15', signal)).toMatchObject({
      holes: [{ after: 'one-packet', aliveMs: 30_000, deadMs: 31_000 }],
    });
    expect(await keepaliveAt(env, '12.13.14.15', signal)).toBe(15_000);
    expect(await recall(env, '12.13.14.16', signal)).toBeUndefined();
    state.gateway = '10.0.0.1';
    expect(await recall(env, '12.13.14.15', signal)).toBeUndefined();
  });

  it('of IPv6 knows the network, in which addresses change', async () => {
    const { env } = world();
    await remember(env, found(60_000), '2001:db8:1:2::3', signal);
    expect(await keepaliveAt(env, '2001:db8::3', signal)).toBeUndefined();
    expect(await keepaliveAt(env, '2001:db8:1:2:aaaa::4', signal)).toBe(30_000);
    expect(await keepaliveAt(env, '2001:db8:1:3::3', signal)).toBeUndefined();
  });

  it('tells nobody where it was', async () => {
    const { env } = world();
    await remember(env, found(30_000), '12.13.14.15', signal);
    const [name = ''] = await env.store.list('lifetimes');
    expect(name).toMatch(/^[0-9a-f]{32}$/);
    const text = new TextDecoder().decode(await env.store.read(`lifetimes/${name}`));
    expect(text).not.toMatch(/12\.13|192\.168/);
  });

  it('says nothing of what says nothing', async () => {
    const { env } = world();
    await remember(env, { ...found(1), holes: [] }, '12.13.14.15', signal);
    expect(await env.store.list('lifetimes')).toEqual([]);
  });

  it('forgets after thirty days, and the oldest of more than 32 networks', async () => {
    const { env, state } = world();
    for (let i = 0; i < 40; i++) {
      state.now += 1_000;
      await remember(env, found(30_000), `12.13.14.${i}`, signal);
    }
    expect((await env.store.list('lifetimes')).length).toBe(32);
    expect(await recall(env, '12.13.14.7', signal)).toBeUndefined();
    expect(await recall(env, '12.13.14.39', signal)).toBeDefined();
    state.now += 31 * DAY_MS;
    expect(await recall(env, '12.13.14.39', signal)).toBeUndefined();
    await remember(env, found(30_000), '12.13.14.99', signal);
    expect((await env.store.list('lifetimes')).length).toBe(1);
  });

  it.each([
    'not JSON',
    'null',
    '[]',
    '{"measuredAt":"2026-01-01T00:00:00Z"}',
    '{"measuredAt":"2026-01-01T00:00:00Z","holes":[null],"keepaliveMs":{"answered":null,"unanswered":5}}',
    '{"measuredAt":"2026-01-01T00:00:00Z","holes":[{"after":"noon","aliveMs":1,"deadMs":null}],"keepaliveMs":{"answered":null,"unanswered":5}}',
    '{"measuredAt":"2026-01-01T00:00:00Z","holes":[],"keepaliveMs":{"answered":null,"unanswered":-5}}',
    '{"measuredAt":"2026-01-01T00:00:00Z","holes":[],"keepaliveMs":{"answered":null,"unanswered":1e99}}',
    `{"measuredAt":"2026-01-01T00:00:00Z","holes":[],"keepaliveMs":{"answered":null,"unanswered":5},"more":"${'x'.repeat(5000)}"}`,
  ])('believes no file that it did not write: %.60s', async (text) => {
    const { env } = world();
    await remember(env, found(30_000), '12.13.14.15', signal);
    const [name] = await env.store.list('lifetimes');
    await env.store.write(`lifetimes/${name}`, new TextEncoder().encode(text));
    expect(await recall(env, '12.13.14.15', signal)).toBeUndefined();
  });

  it('that cannot be read is none; that it cannot be written to is told', async () => {
    const fails = () => Promise.reject(new StoreError('no room', 'ENOSPC'));
    const { env } = world({ list: fails, read: fails, write: fails });
    expect(await recall(env, '12.13.14.15', signal)).toBeUndefined();
    await expect(remember(env, found(30_000), '12.13.14.15', signal)).rejects.toThrow(StoreError);
  });
});
