import type { Env } from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';

/** An Env in which whatever answers takes so long. */
export const slow = (env: Env, ms: number): Env => ({
  ...env,
  udp: {
    open: async (options, signal) => {
      const socket = await env.udp.open(options, signal);
      const pending = new Set<() => void>();
      return {
        local: socket.local,
        send: (...datagram) => socket.send(...datagram),
        listen: (listener) =>
          socket.listen({
            ...listener,
            datagram: (datagram) => {
              const cancel = env.clock.after(ms, () => {
                pending.delete(cancel);
                listener.datagram(datagram);
              });
              pending.add(cancel);
            },
          }),
        close: () => {
          for (const cancel of pending) cancel();
          socket.close();
        },
      };
    },
  },
  tcp: {
    ...env.tcp,
    connect: async (to, options, signal) => {
      await sleep(env.clock, ms, signal);
      return env.tcp.connect(to, options, signal);
    },
  },
});
