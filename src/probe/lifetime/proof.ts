/** The proof of an outside: before anything rests on it, packets have gone both ways between it and a socket of ours. */
import type { Endpoint } from '../../net/address.ts';
import type { Call, Field } from './field.ts';
import type { Hole } from './hole.ts';

/** A NAT with several public addresses may give each socket another one. */
const MOST_CONTROLS = 6;
const PROOFS = 8;
const PROOF_EVERY_MS = 200;

export interface Proven {
  readonly server: Endpoint;
  readonly field: Field;
  /** The socket that is always open, whose silence voids that of others. */
  readonly control: Hole;
  /** Our own public side, as the server sees it, and the socket's own end. */
  readonly public: Endpoint;
  readonly local: Endpoint;
}

/** A second socket on our own public address, after talk both ways. */
export async function findControl(field: Field, signal: AbortSignal): Promise<Hole | { readonly addresses: string[] }> {
  const addresses: string[] = [];
  for (let i = 0; i < MOST_CONTROLS; i++) {
    const hole = await field.open(signal);
    field.mappings++;
    // The answer may be to any of them: how long a round trip takes is not known yet.
    const calls: Call[] = [];
    const heard = (): Call | undefined => calls.find(({ heardAt }) => heardAt !== undefined);
    while (calls.length < PROOFS && !heard()) {
      calls.push(field.call(hole, true));
      await field.gate.wait(() => heard() !== undefined, PROOF_EVERY_MS, signal);
    }
    hole.mapped = heard()?.mapped;
    if (field.isReachable(hole)) return hole;
    if (hole.mapped) addresses.push(hole.mapped.address);
    field.close(hole);
  }
  return { addresses };
}

/** Whether the outside hears of what the control sends without being answered, and the control hears what the outside is asked to send. `refuted`: it cannot be, whatever else was heard. */
export async function proves(
  field: Field,
  control: Hole,
  refuted: () => boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const heard = { inward: false, outward: false };
  for (let i = 0; i < PROOFS; i++) {
    const knock = heard.inward ? undefined : field.knock(control);
    const call = heard.outward ? undefined : field.call(control, false);
    const done = (): boolean => {
      heard.inward ||= knock?.heardAt !== undefined;
      heard.outward ||= call?.heardAt !== undefined;
      return refuted() || control.spoiled || (heard.inward && heard.outward);
    };
    if (await field.gate.wait(done, PROOF_EVERY_MS + field.roundTripMs, signal)) break;
  }
  return heard.inward && heard.outward && !refuted() && !control.spoiled;
}
