/** One request that was admitted, and the answers to it: all sealed, for clients drop others (RFC 8489 §9.2.5). */
import type { Endpoint } from '../net/address.ts';
import { type Attribute, attribute } from '../stun/attributes.ts';
import { type Decoded, encode, type Seal } from '../stun/message.ts';
import type { Key, ClientLine } from './server-allocation.ts';
import type { Login } from './users.ts';

/** The answer to a request, on the way that it came. */
export interface Sending {
  readonly kind: 'send';
  readonly line: ClientLine;
  readonly to: Endpoint;
  readonly data: Uint8Array;
}

export class Request {
  readonly line: ClientLine;
  readonly from: Endpoint;
  readonly message: Decoded;
  readonly key: Key;
  /** None where it is about an allocation that stands. */
  readonly login: Login | undefined;
  /** The code that it was refused with. */
  refused: number | undefined;
  readonly #seal: Seal;
  readonly #software: readonly Attribute[];

  constructor(
    of: Pick<Request, 'line' | 'from' | 'message' | 'key' | 'login'> & {
      readonly seal: Seal;
      readonly software: readonly Attribute[];
    },
  ) {
    this.line = of.line;
    this.from = of.from;
    this.message = of.message;
    this.key = of.key;
    this.login = of.login;
    this.#seal = of.seal;
    this.#software = of.software;
  }

  success(...attributes: readonly Attribute[]): Sending {
    return this.send(this.#encode('success', attributes));
  }

  refuse(code: number, reason: string, ...attributes: readonly Attribute[]): Sending {
    this.refused = code;
    return this.send(this.#encode('error', [attribute('ERROR-CODE', { code, reason }), ...attributes]));
  }

  send(data: Uint8Array): Sending {
    return { kind: 'send', line: this.line, to: this.from, data };
  }

  #encode(kind: 'success' | 'error', attributes: readonly Attribute[]): Uint8Array {
    const { method, transactionId } = this.message;
    return encode({ class: kind, method, transactionId, attributes: [...attributes, ...this.#software] }, this.#seal);
  }
}
