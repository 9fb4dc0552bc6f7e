/** The client of a handshake (RFC 5246 §7.3, RFC 6347 §4.2.4). */
import { joined } from '../net/bytes.ts';
import type { PeerCertificate } from './certificate.ts';
import { demand } from './error.ts';
import type { Heard } from './fragments.ts';
import { type KeyShare, newKeyShare } from './key-share.ts';
import {
  certificate,
  clientHello,
  clientKeyExchange,
  HANDSHAKE,
  readCertificateRequest,
  readHelloVerifyRequest,
  readServerHello,
  readServerKeyExchange,
  signature,
} from './messages.ts';
import { acceptedCertificate, type Host, outOfTurn, Secrets, type Side, Transcript } from './side.ts';

/** Cookies that are sent back: a server needs one. */
const MOST_COOKIES = 3;

export class ClientSide implements Side {
  readonly ends = [HANDSHAKE.serverHelloDone];
  readonly #host: Host;
  readonly #transcript = new Transcript();
  readonly #random: Uint8Array;
  #cookies = 0;
  #awaited: number = HANDSHAKE.serverHello;
  #serverRandom = new Uint8Array();
  #peer: PeerCertificate | undefined;
  #share: KeyShare | undefined;
  #premaster = new Uint8Array();
  #secrets: Secrets | undefined;

  constructor(host: Host) {
    this.#host = host;
    this.#random = host.random.bytes(32);
    this.#hello(new Uint8Array());
  }

  take(message: Heard): void {
    const { type, body, epoch } = message;
    const isCookie = type === HANDSHAKE.helloVerifyRequest && this.#awaited === HANDSHAKE.serverHello;
    if (isCookie && epoch === 0) {
      demand(this.#cookies++ < MOST_COOKIES, 'unexpected', 'cookie upon cookie');
      this.#transcript.clear();
      return this.#hello(readHelloVerifyRequest(body));
    }
    if (type !== this.#awaited || epoch !== (type === HANDSHAKE.finished ? 1 : 0)) throw outOfTurn(message);
    if (type === HANDSHAKE.finished) return this.#finished(body);
    this.#transcript.heard(message);
    switch (type) {
      case HANDSHAKE.serverHello:
        this.#serverRandom = Uint8Array.from(readServerHello(body));
        this.#awaited = HANDSHAKE.certificate;
        return;
      case HANDSHAKE.certificate:
        this.#peer = acceptedCertificate(message, this.#host);
        this.#awaited = HANDSHAKE.serverKeyExchange;
        return;
      case HANDSHAKE.serverKeyExchange:
        this.#keyExchange(body);
        // RFC 8827 §6.5: both prove who they are, so that a server that does not ask is none of ours.
        this.#awaited = HANDSHAKE.certificateRequest;
        return;
      case HANDSHAKE.certificateRequest:
        readCertificateRequest(body);
        this.#awaited = HANDSHAKE.serverHelloDone;
        return;
      default:
        demand(body.length === 0, 'malformed', 'ServerHelloDone with a body');
        this.#awaited = HANDSHAKE.finished;
        return this.#answer();
    }
  }

  #hello(cookie: Uint8Array): void {
    this.#host.flight(
      [this.#transcript.say(HANDSHAKE.clientHello, clientHello({ random: this.#random, cookie }))],
      true,
    );
  }

  #keyExchange(body: Uint8Array): void {
    const { group, point, parameters, signature: signed } = readServerKeyExchange(body);
    const covered = joined([this.#random, this.#serverRandom, parameters]);
    demand(this.#peer?.verifies(covered, signed) ?? false, 'signature', 'the server does not hold its key');
    this.#share = newKeyShare(group, this.#host.random);
    this.#premaster = Uint8Array.from(this.#share.secret(point));
  }

  #answer(): void {
    const { identity } = this.#host;
    const transcript = this.#transcript;
    const { point } = this.#share as KeyShare;
    const mine = transcript.say(HANDSHAKE.certificate, certificate(identity.certificate));
    const exchange = transcript.say(HANDSHAKE.clientKeyExchange, clientKeyExchange(point));
    const secrets = new Secrets(this.#premaster, transcript);
    const verify = transcript.say(HANDSHAKE.certificateVerify, signature(identity.sign(transcript.bytes)));
    const finished = transcript.say(HANDSHAKE.finished, secrets.verifyData('client', transcript), 1);
    this.#secrets = secrets;
    this.#host.secure(secrets.keys(this.#random, this.#serverRandom));
    this.#host.flight([mine, exchange, verify, 'change-cipher-spec', finished], true);
  }

  #finished(body: Uint8Array): void {
    this.#secrets?.check('server', this.#transcript, body);
    this.#host.finished(this.#peer as PeerCertificate);
  }
}
