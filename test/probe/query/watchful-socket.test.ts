import { describe, expect, it } from 'vitest';
import { createLab } from '../../../src/lab/topology.ts';
import { WatchfulSocket } from '../../../src/probe/query/watchful-socket.ts';
import { SERVER } from '../scripted-server.ts';

const heardFrom = async (watch: boolean) => {
  const lab = createLab({ nat: 'full-cone' });
  const [server, other] = [lab.addHost('S', [SERVER.address]), lab.addHost('M', ['66.0.0.1'])];
  return lab.run(async (env, signal) => {
    const ends = [
      await server.udp.open({ family: 4, ...SERVER }),
      await other.udp.open({ family: 4, address: '66.0.0.1', port: 6 }),
    ] as const;
    ends[0].listen({ datagram: ({ data, from }) => ends.forEach((each) => void each.send(data, from)) });
    const socket = await WatchfulSocket.open(env.udp, { family: 4, remote: SERVER }, signal);
    const heard: string[] = [];
    socket.listen({ datagram: ({ from }) => heard.push(from.address) });
    if (watch) await socket.watch();
    await socket.send(Uint8Array.of(1));
    await new Promise<void>((resolve) => env.clock.after(200, resolve));
    for (const each of [socket, ...ends]) each.close();
    return heard;
  });
};

describe('a watchful socket', () => {
  it('hears the end that it is connected to, and everybody only when it watches', async () => {
    expect(await heardFrom(false)).toEqual([SERVER.address]);
    expect((await heardFrom(true)).sort()).toEqual([SERVER.address, '66.0.0.1']);
  });

  it('hears a closed port, and leaves nothing open that was begun too late', async () => {
    const lab = createLab();
    lab.addHost('S', [SERVER.address]);
    await lab.run(async (env, signal) => {
      const socket = await WatchfulSocket.open(env.udp, { family: 4, remote: SERVER }, signal);
      const error = new Promise((resolve) => socket.listen({ datagram: () => {}, error: resolve }));
      await socket.send(Uint8Array.of(1));
      expect(await error).toMatchObject({ kind: 'refused' });
      const late = socket.watch();
      socket.close();
      await late;
    });
  });
});
