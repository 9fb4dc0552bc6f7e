/** Sockets that keep what they hear, and a host that answers, for tests of the simulated network. */
import type { Lab } from '../../src/lab/topology.ts';
import type { Endpoint } from '../../src/net/address.ts';
import {
  type Datagram,
  type Env,
  NetError,
  type NetErrorKind,
  type UdpOptions,
  type UdpSocket,
} from '../../src/net/env.ts';
import { sleep } from '../../src/net/wait.ts';

export const S: Endpoint = { address: '40.30.20.10', port: 3478 };
export const B: Endpoint = { address: '50.60.70.80', port: 7 };
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const string = (data: Uint8Array): string => new TextDecoder().decode(data);

export interface Ear extends UdpSocket {
  readonly heard: Datagram[];
  readonly errors: NetError[];
}

export async function open(env: Env, options: Partial<UdpOptions> = {}): Promise<Ear> {
  const socket = await env.udp.open({ family: 4, ...options });
  const heard: Datagram[] = [];
  const errors: NetError[] = [];
  socket.listen({ datagram: (each) => heard.push(each), error: (error) => errors.push(error) });
  return Object.assign(socket, { heard, errors });
}

export const kindOf = (promise: Promise<unknown>): Promise<NetErrorKind | 'fine'> =>
  promise.then(
    () => 'fine' as const,
    (error: unknown) => {
      if (error instanceof NetError) return error.kind;
      throw error;
    },
  );

/** B answers every datagram with its source as text. */
export function echo(lab: Lab, port = B.port): void {
  lab.serve('B', async (env) => {
    const socket = await env.udp.open({ family: 4, port });
    socket.listen({ datagram: ({ from }) => void socket.send(bytes(`${from.address}:${from.port}`), from) });
  });
}

export async function ask(
  env: Env,
  options: Partial<UdpOptions> = {},
  to: Endpoint = B,
  waitMs = 1000,
): Promise<string[]> {
  const socket = await open(env, options);
  await socket.send(bytes('?'), to);
  await sleep(env.clock, waitMs);
  socket.close();
  return socket.heard.map(({ data }) => string(data));
}
