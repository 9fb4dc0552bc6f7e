/** The server of a handshake (RFC 5246 §7.3, RFC 6347 §4.2.4), which asks the client for its certificate. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { joined } from '../net/bytes.ts';
import { Reader, vector } from './bytes.ts';
import type { PeerCertificate } from './certificate.ts';
import { demand } from './error.ts';
import type { HandshakeMessage, Heard } from './fragments.ts';
import { type KeyShare, newKeyShare } from './key-share.ts';
import {
  certificate,
  certificateRequest,
  ecdhParameters,
  HANDSHAKE,
  helloVerifyRequest,
  readClientHello,
  readClientKeyExchange,
  readSignature,
  type ReadClientHello,
  serverHello,
  signature,
} from './messages.ts';
import { acceptedCertificate, type Host, outOfTurn, Secrets, type Side, Transcript } from './side.ts';

export class ServerSide implements Side {
  readonly ends = [HANDSHAKE.clientHello, HANDSHAKE.finished];
  readonly #host: Host;
  readonly #transcript = new Transcript();
  readonly #random: Uint8Array;
  /** Where a cookie is asked for. */
  readonly #secret: Uint8Array | undefined;
  #awaited: number = HANDSHAKE.clientHello;
  #clientRandom = new Uint8Array();
  #peer: PeerCertificate | undefined;
  #share: KeyShare | undefined;
  #secrets: Secrets | undefined;

  constructor(host: Host, cookie: boolean) {
    this.#host = host;
    this.#random = host.random.bytes(32);
    this.#secret = cookie ? host.random.bytes(32) : undefined;
  }

  take(message: Heard): void {
    const { type, body, epoch } = message;
    if (type !== this.#awaited || epoch !== (type === HANDSHAKE.finished ? 1 : 0)) throw outOfTurn(message);
    switch (type) {
      case HANDSHAKE.clientHello:
        return this.#hello(message);
      case HANDSHAKE.certificate:
        this.#peer = acceptedCertificate(message, this.#host);
        this.#transcript.heard(message);
        this.#awaited = HANDSHAKE.clientKeyExchange;
        return;
      case HANDSHAKE.clientKeyExchange:
        this.#transcript.heard(message);
        this.#keyExchange(body);
        this.#awaited = HANDSHAKE.certificateVerify;
        return;
      case HANDSHAKE.certificateVerify: {
        const signed = readSignature(new Reader(body), 'cipher');
        const { bytes } = this.#transcript;
        demand(this.#peer?.verifies(bytes, signed) ?? false, 'signature', 'the client does not hold its key');
        this.#transcript.heard(message);
        this.#awaited = HANDSHAKE.finished;
        return;
      }
      default:
        return this.#finished(message);
    }
  }

  #hello(message: HandshakeMessage): void {
    const hello = readClientHello(message.body);
    const transcript = this.#transcript;
    if (this.#secret && !this.#isOurs(hello, this.#secret)) {
      const asked = helloVerifyRequest(cookieOf(hello, this.#secret));
      this.#host.flight([transcript.say(HANDSHAKE.helloVerifyRequest, asked)], false);
      return transcript.clear();
    }
    const { identity, random } = this.#host;
    const share = newKeyShare(hello.group, random);
    this.#share = share;
    this.#clientRandom = Uint8Array.from(hello.random);
    this.#awaited = HANDSHAKE.certificate;
    transcript.heard(message);
    const parameters = ecdhParameters(share.group, share.point);
    const signed = identity.sign(joined([hello.random, this.#random, parameters]));
    this.#host.flight(
      [
        transcript.say(HANDSHAKE.serverHello, serverHello(this.#random, hello.renegotiationInfo)),
        transcript.say(HANDSHAKE.certificate, certificate(identity.certificate)),
        transcript.say(HANDSHAKE.serverKeyExchange, joined([parameters, signature(signed)])),
        transcript.say(HANDSHAKE.certificateRequest, certificateRequest()),
        transcript.say(HANDSHAKE.serverHelloDone, new Uint8Array()),
      ],
      true,
    );
  }

  #isOurs(hello: ReadClientHello, secret: Uint8Array): boolean {
    const right = cookieOf(hello, secret);
    return hello.cookie.length === right.length && timingSafeEqual(hello.cookie, right);
  }

  #keyExchange(body: Uint8Array): void {
    const premaster = (this.#share as KeyShare).secret(readClientKeyExchange(body));
    this.#secrets = new Secrets(premaster, this.#transcript);
    this.#host.secure(this.#secrets.keys(this.#clientRandom, this.#random));
  }

  #finished(message: HandshakeMessage): void {
    const secrets = this.#secrets as Secrets;
    secrets.check('client', this.#transcript, message.body);
    this.#transcript.heard(message);
    const mine = this.#transcript.say(HANDSHAKE.finished, secrets.verifyData('server', this.#transcript), 1);
    this.#host.flight(['change-cipher-spec', mine], false);
    this.#host.finished(this.#peer as PeerCertificate);
  }
}

/** RFC 6347 §4.2.1: of what the client says but the cookie. */
const cookieOf = ({ parts }: ReadClientHello, secret: Uint8Array): Uint8Array => {
  const mac = createHmac('sha256', secret);
  for (const part of parts) mac.update(vector(2, part));
  return mac.digest().subarray(0, 20);
};
