/** What ends a DTLS connection before its time. */

/** Why a DTLS connection failed. */
export type DtlsErrorKind =
  | 'fingerprint' //  the peer's certificate is not the one that it was announced with
  | 'certificate' //  no certificate, or one with another key than ECDSA P-256
  | 'signature' //    the peer does not hold the key of its certificate
  | 'finished' //     the two sides did not see the same handshake
  | 'version' //      no DTLS 1.2
  | 'cipher' //       nothing in common: suite, group or signature algorithm
  | 'extension' //    the extended master secret is missing, or an extension that nobody asked for
  | 'key-exchange' // a public key that is none
  | 'malformed' //    breaks the format
  | 'unexpected' //   a message out of turn
  | 'alert' //        the peer said so
  | 'timeout'; //     the handshake did not come to its end

/** RFC 5246 §7.2. */
export const ALERT = {
  closeNotify: 0,
  unexpectedMessage: 10,
  handshakeFailure: 40,
  badCertificate: 42,
  unsupportedCertificate: 43,
  illegalParameter: 47,
  decodeError: 50,
  decryptError: 51,
  protocolVersion: 70,
  userCanceled: 90,
  noRenegotiation: 100,
  unsupportedExtension: 110,
} as const;

/** What the peer is told of each. */
const TOLD: Readonly<Record<DtlsErrorKind, number>> = {
  fingerprint: ALERT.badCertificate,
  certificate: ALERT.unsupportedCertificate,
  signature: ALERT.decryptError,
  finished: ALERT.decryptError,
  version: ALERT.protocolVersion,
  cipher: ALERT.handshakeFailure,
  extension: ALERT.unsupportedExtension,
  'key-exchange': ALERT.illegalParameter,
  malformed: ALERT.decodeError,
  unexpected: ALERT.unexpectedMessage,
  alert: ALERT.closeNotify,
  timeout: ALERT.userCanceled,
};

/** Match it by `kind`. */
export class DtlsError extends Error {
  readonly kind: DtlsErrorKind;
  /** With `alert`: the number that the peer sent, 0–255 (RFC 5246 §7.2). */
  readonly alert: number | undefined;

  constructor(kind: DtlsErrorKind, message: string, alert?: number) {
    super(message);
    this.name = 'DtlsError';
    this.kind = kind;
    this.alert = alert;
  }
}

/** The alert that goes with an error. */
export const alertOf = ({ kind }: DtlsError): number => TOLD[kind];

/** Throws {@link DtlsError} where it does not hold. */
export function demand(holds: boolean, kind: DtlsErrorKind, message: string): asserts holds {
  if (!holds) throw new DtlsError(kind, message);
}
