/** From a byte stream to datagrams. */
import { NetError } from '../../net/env.ts';
import { joined } from '../../net/bytes.ts';

/** `arrival`: each piece as it comes, which on a terminal is a line; `whole`: everything is one datagram. */
export type Cutting =
  | { readonly by: 'line' }
  | { readonly by: 'size'; readonly size: number }
  | { readonly by: 'arrival' }
  | { readonly by: 'whole' };

const LINE_FEED = 10;

/** Of input that is not read to its end: how long it is nobody knows. */
const tooLong = (what: string, most: number, advice: string): NetError =>
  new NetError('too-big', `${what} is longer than the ${most} bytes that one datagram carries: ${advice}`, 'EMSGSIZE');

export function tooBig(size: number, most: number, advice: string): NetError {
  return new NetError(
    'too-big',
    `${size > most ? `${size} bytes do` : 'this does'} not fit into one datagram, which carries at most ${most} bytes${advice && `: ${advice}`}`,
    'EMSGSIZE',
  );
}

/** Yields what can be sent as soon as it is known, several datagrams at a time. A line keeps its line feed. Rejects with NetError `too-big`. */
export async function* datagramsOf(
  input: AsyncIterable<Uint8Array>,
  cutting: Cutting,
  most: number,
): AsyncGenerator<Uint8Array[]> {
  let held: Uint8Array[] = [];
  let size = 0;
  const take = (): Uint8Array => {
    const all = joined(held);
    held = [];
    size = 0;
    return all;
  };
  const hold = (part: Uint8Array): void => {
    if (part.length === 0) return;
    held.push(part);
    size += part.length;
  };
  for await (const chunk of input) {
    const ready: Uint8Array[] = [];
    switch (cutting.by) {
      case 'whole':
        hold(chunk);
        if (size > most) throw tooLong('standard input', most, 'cut it with --line or --size');
        continue;
      case 'arrival':
        for (let at = 0; at < chunk.length; at += most) ready.push(chunk.subarray(at, at + most));
        break;
      case 'size':
        hold(chunk);
        if (size >= cutting.size) {
          const all = take();
          const end = all.length - (all.length % cutting.size);
          for (let at = 0; at < end; at += cutting.size) ready.push(all.subarray(at, at + cutting.size));
          hold(all.subarray(end));
        }
        break;
      case 'line': {
        let start = 0;
        for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, start)) {
          hold(chunk.subarray(start, at + 1));
          if (size > most) throw tooLong('a line of standard input', most, 'cut the input with --size');
          ready.push(take());
          start = at + 1;
        }
        hold(chunk.subarray(start));
        if (size > most) throw tooLong('a line of standard input', most, 'cut the input with --size');
      }
    }
    if (ready.length > 0) yield ready;
  }
  if (size > 0) yield [take()];
}
