import { describe, expect, it } from 'vitest';
import { arrange, firstChannel, lab, message } from './two.ts';

describe('two peers of ours', () => {
  it('find each other behind two NATs, and talk both ways', async () => {
    const made = lab();
    const told = await made.run(async (env, signal) => {
      const two = await arrange(env, made.host('C2'), { stun: made.servers }, signal);
      const theirs = firstChannel(two.answerer);
      const ours = two.offerer.open('data', { protocol: 'test' });
      ours.send('hello');
      const channel = await theirs;
      const heard = await message(channel);
      channel.send(Uint8Array.of(1, 2, 3));
      const back = await message(ours);
      const { state, selected } = two.offerer;
      const events = two.offerer.timeline.events.map(({ event, atMs }) => `${event} ${atMs}`);
      two.offerer.close();
      const ends = await Promise.all([two.offerer.ended, two.answerer.ended]);
      return {
        heard,
        back: [...back],
        state,
        selected,
        events,
        ends,
        label: channel.label,
        protocol: channel.protocol,
      };
    });
    expect(told).toMatchObject({
      heard: 'hello',
      back: [1, 2, 3],
      state: 'connected',
      label: 'data',
      protocol: 'test',
      selected: { nominated: true, rttMs: 40 },
    });
    expect(told.ends).toEqual([{ kind: 'closed' }, { kind: 'closed-by-peer', how: 'sctp' }]);
    // 40 ms a round trip: DTLS begins with the first pair that works, and takes two; SCTP two more.
    for (const event of ['valid 120', 'dtls-up 200', 'sctp-up 280']) expect(told.events).toContain(event);
  });
});
