import type { Env } from '../net/env.ts';
import { nodeClock } from './clock.ts';
import { nodeGateways } from './gateways.ts';
import { nodeInterfaces } from './interfaces.ts';
import { nodeRandom } from './random.ts';
import { nodeResolver } from './resolver.ts';
import { nodeStore } from './store.ts';
import { nodeTcp } from './tcp.ts';
import { nodeUdp } from './udp.ts';

/** The real world, by Node. Nothing of Node's network code is loaded before it is used. */
export const createNodeEnv = (): Env => ({
  clock: nodeClock,
  random: nodeRandom,
  udp: nodeUdp,
  tcp: nodeTcp,
  resolver: nodeResolver,
  interfaces: nodeInterfaces,
  gateways: nodeGateways,
  store: nodeStore,
});
