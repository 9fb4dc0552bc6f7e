/** Commands whose UDP is a relay's: they run as they are, and nobody sees the NAT behind it. */
import { describe, expect, it } from 'vitest';
import type { Env } from '../../src/net/env.ts';
import { relayedUdp } from '../../src/turn/open.ts';
import { LOGIN } from './scripted-turn.ts';
import { NAME, SERVER, turnWorld } from './world.ts';
import { interruptible, play, tell } from '../commands/worlds.ts';

const relayed = (env: Env): Env => ({ ...env, udp: relayedUdp(env, NAME, { credentials: LOGIN }) });

describe('through a relay', () => {
  it('a punch at the relayed address comes through, behind two symmetric NATs', async () => {
    const { lab, turn } = turnWorld({ nat: 'symmetric,ports=random', second: { nat: 'symmetric,ports=random' } });
    await play(lab, async (on, later) => {
      const stop = interruptible();
      // C2 sends to the relayed address, which it is told; the relay tells A where that comes from.
      const relay = await relayed(on('A')).udp.open({ family: 4 });
      const heard: string[] = [];
      relay.listen({
        datagram: ({ data, from }) => {
          heard.push(from.address);
          void relay.send(data, from);
        },
      });
      await relay.send(new Uint8Array(), { address: '22.23.24.25', port: 9 });
      const punched = tell(
        on('C2'),
        ['punch', `${relay.local.address}:${relay.local.port}`, '--no-stun', '-w', '3'],
        stop,
      );
      await later(2000);
      stop.interrupt();
      const { report } = await punched;
      expect(heard).toContain('22.23.24.25');
      expect(report.schema).toMatch(/^nat-tool\/punch@/);
      relay.close();
    });
    await play(lab, (_, later) => later(1000));
    expect(turn.allocations).toBe(0);
  });

  it('send and its answer go by the relay, which is all that the other side sees', async () => {
    const { lab } = turnWorld({ nat: 'symmetric' });
    await play(lab, async (on, later) => {
      const stop = interruptible();
      const listening = tell(on('B'), ['listen', '9999', '--echo'], stop);
      await later(10);
      const { report, status } = await tell(relayed(on('A')), [
        'send',
        '50.60.70.80',
        '9999',
        '--data',
        'hello',
        '-w',
        '2',
      ]);
      stop.interrupt();
      const { events } = await listening;
      expect(status).toBe(0);
      expect(JSON.stringify(events)).toContain(`${SERVER.address}:`);
      expect(JSON.stringify(events)).not.toContain('12.13.14.15');
      expect(report.outcome).toBe('complete');
    });
  });

  it('detect sees the relayed address as its public one', async () => {
    const { lab } = turnWorld({ nat: 'symmetric' });
    const { report } = await play(lab, (on) => tell(relayed(on('A')), ['detect', 'stun.example.net']));
    expect(report.data).toMatchObject({ public: expect.stringMatching(/^70\.60\.50\.40:/) });
  });
});
