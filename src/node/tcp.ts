import type { Server, Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { type Endpoint, isAddress } from '../net/address.ts';
import { NetError, type Tcp, type TcpListener, type TlsIdentity } from '../net/env.ts';
import { nodeEndpoint } from './address.ts';
import { HalfOpenStream, NodeByteStream } from './byte-stream.ts';
import { codeOf, toConnectError, toNetError, toTlsError } from './errors.ts';
import { TlsAcceptor } from './tls-acceptor.ts';

type TlsOptions = NonNullable<Parameters<Tcp['connect']>[1]['tls']>;

/** TCP and TLS by node:net and node:tls, each loaded at its first use. Trust is Node's: its own roots and NODE_EXTRA_CA_CERTS. */
export const nodeTcp: Tcp = {
  connect: async (remote, options, signal) => {
    signal?.throwIfAborted();
    const { tls } = options;
    const target = {
      host: remote.address,
      port: remote.port,
      localAddress: options.address,
      localPort: options.port,
      noDelay: true,
      allowHalfOpen: options.halfOpen ?? false,
    };
    const opened = tls
      ? process.getBuiltinModule('node:tls').connect(secure(target, tls))
      : process.getBuiltinModule('node:net').connect(definite(target));
    await established(
      opened,
      tls ? 'secureConnect' : 'connect',
      (error) => (options.address === undefined ? toConnectError(error, remote.address) : toNetError(error)),
      signal,
    );
    return options.halfOpen ? new HalfOpenStream(opened) : new NodeByteStream(opened);
  },
  listen: async ({ address, port }, accept, identity, { halfOpen = false } = {}) => {
    const tls = identity && new TlsAcceptor(identity);
    const server = process
      .getBuiltinModule('node:net')
      .createServer({ noDelay: true, allowHalfOpen: halfOpen }, (socket) =>
        accept(tls ? tls.accept(socket) : halfOpen ? new HalfOpenStream(socket) : new NodeByteStream(socket)),
      );
    await bound(server, { host: address, port, exclusive: true, ipv6Only: address.includes(':') });
    return new NodeTcpListener(server, tls);
  },
};

/** Leaves out what is undefined: node:net tells an absent local port from an undefined one. */
const definite = <T extends object>(options: T): T =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;

function secure(target: object, { serverName, trusted }: TlsOptions): ConnectionOptions {
  const { checkServerIdentity, rootCertificates } = process.getBuiltinModule('node:tls');
  return {
    ...definite(target),
    // `ca` replaces what Node trusts by itself.
    ...(trusted !== undefined && { ca: [...rootCertificates, ...extraRoots(), checked(trusted)] }),
    // RFC 6066 §3 allows no literal address in SNI; the certificate must name it all the same.
    servername: isAddress(serverName) ? '' : serverName,
    checkServerIdentity: (_, certificate) => checkServerIdentity(serverName, certificate),
  };
}

/** Those of NODE_EXTRA_CA_CERTS; where it cannot be read, Node has warned of that itself. */
function extraRoots(): string[] {
  const path = process.env['NODE_EXTRA_CA_CERTS'];
  if (!path) return [];
  try {
    return [process.getBuiltinModule('node:fs').readFileSync(path, 'latin1')];
  } catch {
    return [];
  }
}

/** Node passes over what it cannot read. Throws NetError `tls`. */
function checked(trusted: string): string {
  const { X509Certificate } = process.getBuiltinModule('node:crypto');
  try {
    return new X509Certificate(trusted) && trusted;
  } catch (cause) {
    throw new NetError('tls', 'a certificate that is to be trusted cannot be read', codeOf(cause), cause);
  }
}

const established = (
  socket: Socket,
  event: 'connect' | 'secureConnect',
  worded: (error: Error) => NetError,
  signal: AbortSignal | undefined,
): Promise<void> =>
  new Promise((resolve, reject) => {
    let reached = false;
    const settle = (act: () => void) => {
      socket.off(event, ready).off('error', failed);
      signal?.removeEventListener('abort', stop);
      act();
    };
    const ready = () => settle(resolve);
    // Once TCP stands, whatever breaks the handshake is a matter of TLS, a reset included.
    const failed = (error: Error) => settle(() => reject(reached ? toTlsError(error) : worded(error)));
    const stop = () =>
      settle(() => {
        socket.on('error', () => {}).destroy();
        reject(signal?.reason);
      });
    if (event === 'secureConnect') socket.once('connect', () => (reached = true));
    socket.once(event, ready).once('error', failed);
    signal?.addEventListener('abort', stop, { once: true });
  });

const bound = (server: Server, options: object): Promise<void> =>
  new Promise((resolve, reject) => {
    const failed = (error: Error) => reject(toNetError(error));
    server.once('error', failed).listen(options, () => {
      // What goes wrong later concerns one connection that never came to be.
      server.off('error', failed).on('error', () => {});
      resolve();
    });
  });

class NodeTcpListener implements TcpListener {
  readonly local: Endpoint;
  readonly #server: Server;
  readonly #tls: TlsAcceptor | undefined;

  constructor(server: Server, tls: TlsAcceptor | undefined) {
    const address = server.address();
    this.local =
      typeof address === 'object' && address ? nodeEndpoint(address.address, address.port) : { address: '', port: 0 };
    this.#server = server;
    this.#tls = tls;
  }

  renew(identity: TlsIdentity): void {
    this.#tls?.renew(identity);
  }

  close(): void {
    this.#server.close();
  }
}
