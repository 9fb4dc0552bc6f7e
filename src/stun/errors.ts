/** What is wrong with bytes that claim to be STUN, or with a value that STUN cannot carry. */
export type StunFormatKind =
  | 'not-stun' //     one of the two leading bits is set (RFC 8489 §5)
  | 'too-short' //    fewer than the 20 bytes of a header
  | 'length' //       the length field is no multiple of four, or differs from what follows
  | 'truncated' //    an attribute runs past the end of the message
  | 'malformed' //    the value of a comprehension-required attribute breaks its format
  | 'unencodable'; // a value out of its attribute's range, while encoding

/** The only error of the codec; match it by `kind`. */
export class StunFormatError extends Error {
  readonly kind: StunFormatKind;
  /** Type of the attribute at fault, where one is. */
  readonly attributeType: number | undefined;
  constructor(kind: StunFormatKind, message: string, attributeType?: number) {
    super(message);
    this.name = 'StunFormatError';
    this.kind = kind;
    this.attributeType = attributeType;
  }
}
