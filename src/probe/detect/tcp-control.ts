/** The control for UDP silence: does the same server answer a Binding request over TCP (RFC 8489 §6.2.2)? */
import { type Endpoint, formatEndpoint } from '../../net/address.ts';
import { type ByteStream, NetError } from '../../net/env.ts';
import { scope, TimeoutError } from '../../net/wait.ts';
import { Deframer } from '../../stun/framing.ts';
import { encodeBinding } from '../../stun/binding.ts';
import { mappedAddress, StunFormatError, transactionKey, tryDecode } from '../../stun/message.ts';
import type { Evidence } from './series.ts';
import type { ProbeEnv } from './probes.ts';
import { toMicroseconds } from '../../net/round.ts';

export interface TcpControl {
  readonly server: Endpoint;
  readonly outcome: 'answered' | 'refused' | 'silent';
  readonly evidence: Evidence;
}

const TCP_TIMEOUT_MS = 2500;
/** No honest Binding response is longer. */
const LONGEST_ANSWER = 2048;

export async function tcpControl(
  env: ProbeEnv,
  server: Endpoint,
  source: string | undefined,
  signal: AbortSignal,
): Promise<TcpControl> {
  const bounds = scope(env.clock, signal, TCP_TIMEOUT_MS);
  const startedAt = env.clock.now();
  let stream: ByteStream | undefined;
  let local = source ?? '';
  const stop = () => stream?.close();
  bounds.signal.addEventListener('abort', stop, { once: true });
  const result = (outcome: TcpControl['outcome']): TcpControl => ({
    server,
    outcome,
    evidence: {
      test: 'tcp-control',
      from: local,
      to: formatEndpoint(server),
      sent: 1,
      received: outcome === 'answered' ? 1 : 0,
      rttMs: outcome === 'answered' ? toMicroseconds(env.clock.now() - startedAt) : null,
      verdict: outcome,
    },
  });
  try {
    stream = await env.tcp.connect(server, { address: source }, bounds.signal);
    local = formatEndpoint(stream.local);
    const transactionId = env.random.bytes(12);
    await stream.write(encodeBinding('request', transactionId));
    const deframer = new Deframer();
    let heard = 0;
    for await (const chunk of stream) {
      const [first] = deframer.push(chunk);
      const message = first && tryDecode(first);
      if (message) {
        const ours = transactionKey(message.transactionId) === transactionKey(transactionId);
        // One that wants to know who asks answers all the same.
        const says = message.class === 'error' || mappedAddress(message) !== undefined;
        return result(ours && says ? 'answered' : 'silent');
      }
      heard += chunk.length;
      if (heard > LONGEST_ANSWER) break;
    }
    return result('silent');
  } catch (error) {
    if (error instanceof NetError) return result(error.kind === 'refused' ? 'refused' : 'silent');
    // Whoever speaks something else there answers no Binding request.
    if (error instanceof StunFormatError || error instanceof TimeoutError || bounds.signal.aborted)
      return result('silent');
    throw error;
  } finally {
    bounds.signal.removeEventListener('abort', stop);
    bounds.end();
    stream?.close();
  }
}
