/** Descriptions of one data channel transport (RFC 8841, RFC 8839, RFC 8842, RFC 8866): as small as browsers take them. */
import { FINGERPRINT_HASHES, type Fingerprint } from '../dtls/certificate.ts';
import {
  formatIceAttributes,
  type IceAttributes,
  type ParsedIceAttributes,
  parseIceAttributes,
  SdpError,
} from '../ice/sdp.ts';

/** Who begins with DTLS (RFC 8842 §5): the one who is `active`; `actpass` leaves it to the answerer. */
export type Setup = 'actpass' | 'active' | 'passive';

export interface Description {
  readonly ice: IceAttributes;
  /** Of the certificate; one of them has to be right. */
  readonly fingerprints: readonly Fingerprint[];
  readonly setup: Setup;
  /** Of the one medium; an answer repeats the offer's (RFC 8843 §7.3). */
  readonly mid: string;
  /** Of SCTP, 1–65535. */
  readonly port: number;
  /** Bytes of the longest message that is taken. */
  readonly maxMessage: number;
}

export interface ParsedDescription extends Description {
  readonly ice: ParsedIceAttributes;
}

/** RFC 8841 §6.1: where it is not said. */
const USUAL_MESSAGE = 65_536;
const USUAL_PORT = 5000;

/** `session`: a number that no other of ours has (RFC 8866 §5.2). */
export function formatDescription(description: Description, session: number): string {
  const { ice, fingerprints, setup, mid, port, maxMessage } = description;
  const lines = [
    'v=0',
    `o=- ${session} 1 IN IP4 0.0.0.0`,
    's=-',
    't=0 0',
    `a=group:BUNDLE ${mid}`,
    'm=application 9 UDP/DTLS/SCTP webrtc-datachannel',
    'c=IN IP4 0.0.0.0',
    `a=mid:${mid}`,
    ...fingerprints.map(({ hash, value }) => `a=fingerprint:${hash} ${value}`),
    `a=setup:${setup}`,
    `a=sctp-port:${port}`,
    `a=max-message-size:${maxMessage}`,
  ];
  return `${lines.join('\r\n')}\r\n${formatIceAttributes(ice)}`;
}

/** Reads an offer or answer with one data channel transport and nothing else. Throws {@link SdpError}. */
export function parseDescription(text: string): ParsedDescription {
  const ice = parseIceAttributes(text);
  const lines = text.split(/\r\n|\n|\r/).map((line) => line.trim());
  const media = lines.filter((line) => line.startsWith('m='));
  const [medium = ''] = media;
  const isChannel = /^m=application [1-9]\d{0,4} (?:UDP|TCP)\/DTLS\/SCTP webrtc-datachannel$/.test(medium);
  if (media.length !== 1 || !isChannel)
    throw new SdpError('no-channel', 'not one data channel (m=application, UDP/DTLS/SCTP) and nothing else');
  const value = (name: string): string | undefined => {
    const line = lines.find((each) => each.startsWith(`a=${name}:`));
    return line?.slice(name.length + 3).trim();
  };
  const setup = value('setup');
  if (setup !== 'actpass' && setup !== 'active' && setup !== 'passive')
    throw new SdpError('setup', 'no a=setup line with actpass, active or passive');
  const mid = value('mid') ?? '0';
  if (!/^[\w!#$%&'*+.^`{|}~-]{1,64}$/.test(mid)) throw new SdpError('malformed', 'an a=mid line that is no token');
  return {
    ice,
    fingerprints: fingerprintsIn(lines),
    setup,
    mid,
    port: numberOf(value('sctp-port'), USUAL_PORT, 65_535),
    // RFC 8841 §6.1: 0 is any.
    maxMessage: numberOf(value('max-message-size'), USUAL_MESSAGE, Number.MAX_SAFE_INTEGER) || Number.MAX_SAFE_INTEGER,
  };
}

function numberOf(text: string | undefined, otherwise: number, most: number): number {
  if (text === undefined) return otherwise;
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
  if (number > most) throw new SdpError('malformed', `a number in the SDP that is none, or more than ${most}`);
  return number;
}

/** Those by a hash function that still holds. */
function fingerprintsIn(lines: readonly string[]): Fingerprint[] {
  const found = lines.flatMap((line): Fingerprint[] => {
    const [, name = '', value = ''] =
      /^a=fingerprint:(\S{1,20}) ([0-9a-f]{2}(?::[0-9a-f]{2}){19,63})$/i.exec(line) ?? [];
    const hash = FINGERPRINT_HASHES.find((each) => each === name.toLowerCase());
    return hash ? [{ hash, value: value.toUpperCase() }] : [];
  });
  if (found.length === 0) throw new SdpError('fingerprint', 'no a=fingerprint line by sha-256, sha-384 or sha-512');
  return found.slice(0, MOST_FINGERPRINTS);
}

const MOST_FINGERPRINTS = 8;
