/** A STUN server in the simulated network that answers as a test wants it to. */
import type { Lab } from '../../src/lab/topology.ts';
import type { Endpoint } from '../../src/net/address.ts';
import { type Attribute, attribute } from '../../src/stun/attributes.ts';
import { encodeBinding } from '../../src/stun/binding.ts';
import { type Decoded, decode } from '../../src/stun/message.ts';

export const SERVER: Endpoint = { address: '51.0.0.1', port: 3478 };

/** Answers a request that came from `from`; undefined: not at all. */
export type Script = (request: Decoded, from: Endpoint) => Uint8Array | undefined;

/** A success answer with the mapped address and these attributes. */
export const success = ({ transactionId }: Decoded, from: Endpoint, ...more: readonly Attribute[]): Uint8Array =>
  encodeBinding('success', transactionId, [attribute('XOR-MAPPED-ADDRESS', from), ...more]);

/** Starts the server at {@link SERVER}. */
export function scriptedServer(lab: Lab, script: Script): void {
  lab.addHost('S', [SERVER.address]);
  lab.serve('S', async (host) => {
    const socket = await host.udp.open({ family: 4, ...SERVER });
    socket.listen({
      datagram: ({ data, from }) => {
        const answer = script(decode(data), from);
        if (answer) void socket.send(answer, from);
      },
    });
  });
}
