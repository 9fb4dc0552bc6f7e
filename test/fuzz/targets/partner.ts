import { createHmac } from 'node:crypto';
import { seededRandom } from '../../../src/lab/random.ts';
import { SourceLimiter } from '../../../src/net/rate-limit.ts';
import { PartnerLink } from '../../../src/partner/link.ts';
import {
  decodePartner,
  encodePartner,
  keyOf,
  looksLikePartner,
  type PartnerMessage,
} from '../../../src/partner/messages.ts';
import { encodeBinding } from '../../../src/stun/binding.ts';
import { demand, type Target } from '../target.ts';

const KEY = keyOf('a secret of the two');
const ID = '0011223344556677';
const FROM = { address: '60.50.40.31', port: 3478 };
const ENDS = { A1P1: FROM, A1P2: { address: '2001:db8::1', port: 3479 } };
const MESSAGES: readonly PartnerMessage[] = [
  { type: 'hello', sender: ID, nonce: ID },
  { type: 'welcome', sender: ID, nonce: ID, to: ID, challenge: ID, observed: FROM, outside: ENDS, inside: ENDS },
  {
    type: 'answer',
    sender: ID,
    challenge: ID,
    counter: 7,
    via: 'A1P2',
    to: FROM,
    data: encodeBinding('success', new Uint8Array(12)),
  },
  { type: 'ack', sender: ID, to: ID, counter: 7 },
];

/** With a right tag, as a partner that turned bad would send it. */
function tagged(data: Uint8Array): Uint8Array {
  const copy = data.slice();
  const body = copy.subarray(0, -16);
  if (copy.length >= 16) copy.set(createHmac('sha256', KEY).update(body).digest().subarray(0, 16), body.length);
  return copy;
}

/** What a partner, or one who plays it, says: as it comes, and with the tag put right. */
export const partner: Target = {
  name: 'partner',
  seeds: MESSAGES.map((message) => encodePartner(message, KEY)),
  run: (input) => {
    const limit = { perSecond: Number.POSITIVE_INFINITY, burst: 1 };
    const random = seededRandom(1, 'partner');
    const link = new PartnerLink({
      key: KEY,
      random,
      limiter: new SourceLimiter(limit, random),
      own: () => ({ outside: ENDS, inside: ENDS }),
    });
    link.handle({ kind: 'resolved', to: FROM }, 0);
    const right = tagged(input);
    const known = decodePartner(input, KEY);
    demand(known === undefined || Buffer.compare(right, input) === 0, 'only what was made with the secret is read');
    for (const data of [input, right])
      for (const action of link.handle({ kind: 'heard', from: FROM, data }, 1)) {
        demand(
          action.kind === 'send' && action.data.length <= data.length,
          'no more goes back than came, and nothing to others',
        );
      }
    demand(link.state === 'away', 'nobody is there who has not answered a greeting');
    const message = decodePartner(right, KEY);
    if (message)
      demand(
        Buffer.compare(encodePartner(message, KEY), right) === 0 ||
          message.type === 'hello' ||
          message.type === 'welcome',
        'one form of each',
      );
    return known !== undefined && looksLikePartner(input);
  },
  large: (size) => [tagged(Uint8Array.from({ length: size + 27 }, (_, i) => [0xcd, 1, 2][i] ?? 0))],
};
