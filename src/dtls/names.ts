/** What a datagram of DTLS holds, in words, as far as that can be seen from outside. */
import { HANDSHAKE } from './messages.ts';
import { CONTENT, type RawRecord, recordsOf, SEAL_BYTES } from './record.ts';

const capital = (name: string): string => name[0]?.toUpperCase() + name.slice(1);

const MESSAGES = new Map<number, string>(Object.entries(HANDSHAKE).map(([name, type]) => [type, capital(name)]));

/** `ServerHello to ServerHelloDone`, `Finished`, `data, 96 bytes`. Undefined where it is no DTLS 1.2. */
export function namesOf(datagram: Uint8Array): string | undefined {
  const { records, whole } = recordsOf(datagram);
  if (records.length === 0 || !whole) return undefined;
  const names = records.map(nameOf);
  const [first = '', last = ''] = [names[0], names.at(-1)];
  return names.length > 2 ? `${first} to ${last}` : names.join(', ');
}

function nameOf({ type, epoch, body }: RawRecord): string {
  switch (type) {
    case CONTENT.changeCipherSpec:
      return 'ChangeCipherSpec';
    case CONTENT.alert:
      return 'alert';
    case CONTENT.data:
      return `data, ${Math.max(0, body.length - SEAL_BYTES)} bytes`;
    default:
      // Sealed, it is Finished, or somebody who wants to begin anew.
      return epoch > 0 ? 'Finished' : (MESSAGES.get(body[0] ?? -1) ?? 'handshake');
  }
}
