/**
 * The world as a parameter. `node/env.ts` builds the real one, `lab/env.ts` a simulated one on virtual time;
 * everything above takes the narrowest part that it needs.
 */
import type { Endpoint, Family } from './address.ts';

/** Time. Instants are fractional milliseconds on a monotonic scale of arbitrary origin. */
export interface Clock {
  now(): number;
  /** Wall-clock time, for report headers only. */
  date(): Date;
  /** Calls `wake` once, `ms` from now (negative counts as 0), unless the returned function is called first. */
  after(ms: number, wake: () => void): () => void;
}

/** Randomness. Cryptographic in the real world, seeded in the simulated one. */
export interface Random {
  /** `length` uniform bytes in a buffer of their own. */
  bytes(length: number): Uint8Array;
  /** A uniform integer in [0, bound), 1 ≤ bound ≤ 2³². */
  below(bound: number): number;
}

/** A datagram as its socket received it. */
export interface Datagram {
  readonly data: Uint8Array;
  readonly from: Endpoint;
  /** Arrival on the clock's scale, stamped by the socket, so that a busy consumer does not distort a round-trip time. */
  readonly at: number;
}

/** What a socket hears. A socket without a listener drops what arrives. */
export interface UdpListener {
  datagram(datagram: Datagram): void;
  /** An asynchronous error: on a connected socket, ICMP port unreachable arrives here as `refused`. */
  error?(error: NetError): void;
}

/** Of one datagram. */
export interface SendOptions {
  /** IP time to live (hop limit) of this datagram alone, 1–255; the system's when absent. */
  readonly ttl?: number | undefined;
}

/** A UDP socket, bound from the beginning. */
export interface UdpSocket {
  /** Where it is bound. On a connected socket, and only there, never the wildcard address. */
  readonly local: Endpoint;
  /** Resolves when the system took the datagram; rejects with NetError when sending failed. `to` may be left out on a connected socket. Sends that begin in one turn leave in that order. */
  send(data: Uint8Array, to?: Endpoint, options?: SendOptions): Promise<void>;
  /** As `send`, for servers that do not ask what became of it; a failure is as good as a loss. Present where it saves time. Not on connected sockets. */
  post?(data: Uint8Array, to: Endpoint): void;
  /** Replaces the listener. */
  listen(listener: UdpListener): void;
  /** Idempotent. Pending sends reject with `closed`. */
  close(): void;
}

/** Of a socket to be opened. */
export interface UdpOptions {
  readonly family: Family;
  /** Local address; the wildcard when absent. */
  readonly address?: string | undefined;
  /** Local port; 0 or absent lets the system choose. */
  readonly port?: number | undefined;
  /** Connects the socket: only datagrams from here are heard, ICMP errors are reported, and `local` shows the routed interface's address. */
  readonly remote?: Endpoint | undefined;
  /** SO_REUSEADDR: shares the port with another socket that asked for the same. */
  readonly reuse?: boolean | undefined;
  /** Other processes of this program are to answer on it too (see `net/processes.ts`). Where the system does it, each then has a socket of its own on the same port, and a sender always comes to the same one (SO_REUSEPORT). */
  readonly shared?: boolean | undefined;
  /** SO_RCVBUF, bytes. */
  readonly receiveBuffer?: number | undefined;
}

/** Makes UDP sockets. */
export interface Udp {
  /** Rejects with NetError: `in-use`, `not-available`, `denied`, `unreachable` (connected only). */
  open(options: UdpOptions, signal?: AbortSignal): Promise<UdpSocket>;
}

/**
 * A TCP or TLS connection: iterate over it for what comes, to its end; rejects with NetError `closed` where it was
 * reset.
 */
export interface ByteStream extends AsyncIterable<Uint8Array> {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  write(data: Uint8Array): Promise<void>;
  /** Nothing more will be written; what comes can still be read. Present where it was asked for with `halfOpen`. */
  end?(): void;
  /** Breaks the connection at once: what was written and has not left is lost. Where there is `end`, the other side is told that it is broken. */
  reset?(): void;
  close(): void;
}

/** How a TCP connection ends. */
export interface TcpManner {
  /** Each direction for itself: that the other side has ended does not close ours. */
  readonly halfOpen?: boolean | undefined;
}

/** What a server proves itself with over TLS: certificate, with what leads to a root, and private key, PEM. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

/** A TCP port that is listened on. */
export interface TcpListener {
  readonly local: Endpoint;
  /** For those who come from now on; nothing changes where it throws NetError `tls`. Does nothing on a port without TLS. */
  renew(identity: TlsIdentity): void;
  close(): void;
}

/** TCP connections, plain or with TLS. */
export interface Tcp {
  /** Rejects with NetError; `tls` wraps the connection and verifies the certificate for that name. Bounded only by `signal`. */
  connect(
    remote: Endpoint,
    options: TcpManner & {
      readonly address?: string | undefined;
      readonly port?: number | undefined;
      /** `trusted`: certificates that are trusted beside the system's, PEM. */
      readonly tls?: { readonly serverName: string; readonly trusted?: string | undefined } | undefined;
    },
    signal?: AbortSignal,
  ): Promise<ByteStream>;
  /** A stream is handed over before its TLS handshake, which whoever reads it waits for. Rejects with NetError, `tls` where the identity is none. */
  listen(
    local: Endpoint,
    accept: (stream: ByteStream) => void,
    identity?: TlsIdentity,
    manner?: TcpManner,
  ): Promise<TcpListener>;
}

/** RFC 2782. */
export interface SrvRecord {
  readonly host: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** Names to addresses and service records (RFC 1034, RFC 2782). */
export interface Resolver {
  /** Literal addresses of a host name, in the order to try; rejects with NetError `not-found` when there are none. */
  addresses(host: string, family: Family | undefined, signal?: AbortSignal): Promise<string[]>;
  /** Service records; an empty list when there are none. */
  services(name: string, signal?: AbortSignal): Promise<SrvRecord[]>;
}

/** An address of one of the host's network interfaces. */
export interface InterfaceAddress {
  readonly name: string;
  readonly address: string;
  readonly family: Family;
  readonly prefixLength: number;
  /** A loopback interface. */
  readonly internal: boolean;
}

/** A way out of the host's networks: a default route of the system's. */
export interface Gateway {
  readonly family: Family;
  /** The router's address, on the host's own network; a link-local one with its zone. Absent where an interface leads out by itself, as a tunnel does. */
  readonly address?: string | undefined;
  /** The name of the interface, as in {@link InterfaceAddress}. */
  readonly interface: string;
}

/**
 * Small files of ours that outlive a run, which nobody else may read. Names are `kind/name`, each of 1 to 64 of a–z, 0–9, `.`, `_` and
 * `-`, beginning with a letter or digit; any other throws RangeError. What fails rejects with StoreError.
 */
export interface Store {
  /** The folder, for people. */
  readonly place: string;
  /** Undefined where there is none. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** In place of what was there: whoever reads finds the old or the new, whole. */
  write(name: string, data: Uint8Array): Promise<void>;
  /** False where there was none. */
  remove(name: string): Promise<boolean>;
  /** The names of a kind, without it, sorted. */
  list(kind: string): Promise<string[]>;
}

/** The store cannot be read, or written to; the message is for people. */
export class StoreError extends Error {
  /** The system's name for it, such as EACCES. */
  readonly code: string | undefined;
  constructor(message: string, code?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'StoreError';
    this.code = code;
  }
}

/**
 * The world as a program sees it. `createNodeEnv()` is the real one, a lab makes simulated ones; functions take the
 * narrowest part that they need.
 */
export interface Env {
  readonly clock: Clock;
  readonly random: Random;
  readonly udp: Udp;
  readonly tcp: Tcp;
  readonly resolver: Resolver;
  interfaces(): InterfaceAddress[];
  /** The default routes, those that the system prefers first; none where it does not tell. Bounded by a second; rejects with the signal's reason alone. */
  gateways(signal?: AbortSignal): Promise<Gateway[]>;
  /** What is remembered from run to run. */
  readonly store: Store;
}

/** What went wrong, whatever the system calls it. */
export type NetErrorKind =
  | 'refused' //       ICMP port unreachable, TCP reset
  | 'unreachable' //   no route, network or host unreachable
  | 'in-use' //        the local port is taken
  | 'not-available' // the local address is not ours
  | 'denied' //        permission, or a local firewall
  | 'too-big' //       the datagram is larger than the path or UDP allows
  | 'not-found' //     the name does not resolve
  | 'resolver' //      the resolver itself failed or timed out
  | 'tls' //           the certificate or the handshake
  | 'closed' //        the socket was closed meanwhile
  | 'other';

/** What went wrong below. A datum to report, not a bug; match it by `kind`, never by its text. */
export class NetError extends Error {
  readonly kind: NetErrorKind;
  /** The system's name for it, such as ECONNREFUSED, for evidence. */
  readonly code: string | undefined;
  constructor(kind: NetErrorKind, message: string, code?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'NetError';
    this.kind = kind;
    this.code = code;
  }
}

/** A handler of rejections for what the network does alone: anything else is a bug, and thrown on. */
export const onNetError =
  (handle: (error: NetError) => void) =>
  (error: unknown): void => {
    if (!(error instanceof NetError)) throw error;
    handle(error);
  };

/** For sends that nobody waits for: one that fails is as good as lost. */
export const ignoreNetError = onNetError(() => {});
