/** What becomes of two hosts that want to connect; see `finding.ts`. */

/** What `connect` is used for. */
const USES: Readonly<Record<string, string>> = {
  stream: 'pipes bytes',
  datagrams: 'pipes datagrams (--datagrams)',
  forward: 'forwards ports (--forward)',
  exec: 'hands the port to a program (--exec)',
  check: 'checks',
  unknown: 'has an older nat-tool, which pipes datagrams (--datagrams)',
};

export const CONNECT_TEXTS = {
  'nobody-came': ({ server, pairing }: { server: string; pairing?: string | undefined }) =>
    pairing === undefined
      ? `The other host did not come. Was it given the same code, and does it meet at ${server} too?`
      : `The other host did not come. Does nat-tool connect run there, with its own name for the pairing that is ${pairing} here, and does it meet at ${server} too?`,
  'not-pasted': ({ needed }: { needed: string }) =>
    `Nothing usable was pasted from the other host. Run the same command there, and paste here ${needed.replace(/\.$/, '')}.`,
  'peer-left': () => 'The other host left before there was a path.',
  'versions-differ': () =>
    'The other host runs a nat-tool of another version, whose connections are made otherwise. Both need the same.',
  'no-hole': ({ reason }: { reason: string }) =>
    `There is no way through these two NATs. ${reason} A relay, a port forwarding on one router, or IPv6 would help.`,
  'families-apart': ({ reason }: { reason: string }) =>
    `The two hosts cannot send to each other. ${reason} A nat-tool serve --relay on a host that has both, where they meet, is one.`,
  'no-path': ({ reason }: { reason: string }) =>
    `No path was found in time. ${reason} Something on the way may drop UDP between the two hosts.`,
  relayed: ({ reason }: { reason: string }) => `A relay carries the data, for there is no direct path. ${reason}`,
  'no-relay': ({ why }: { why: string }) => `No relay could be had either: ${why}.`,
  'path-lost': ({ remote }: { remote: string }) => `The path to ${remote} died.`,
  'not-confirmed': ({ sent, confirmed, received }: { sent: number; confirmed: number; received: number }) =>
    `The session ended too early: the other host has confirmed ${confirmed} of ${sent} bytes, and what came from it broke off after ${received}.`,
  'uses-differ': ({ ours, theirs }: { ours: string; theirs: string }) =>
    `The two hosts want different things of the connection: this one ${USES[ours] ?? ours}, the other one ${USES[theirs] ?? theirs}. Give both the same options.`,
  'command-failed': ({ status }: { status: number | null }) =>
    status === null
      ? 'The command was ended by a signal, or could not be started.'
      : `The command ended with status ${status}.`,
  'not-encrypted': () =>
    'The data is not encrypted: --sdp speaks with any ICE agent, and agrees on no keys. Whoever is on the way can read and change it.',
  'not-kept': ({ why }: { why: string }) => `The pairing was not kept: ${why}.`,
  'no-pairing': ({ name }: { name: string }) => `No pairing is kept as ${name}.`,
  'code-taken': () => 'Two other hosts are using this code. Make a fresh one.',
  'code-used': () =>
    'This code has been used: it serves two hosts once, and the server remembers it for ten minutes. Make a fresh one, or keep a pairing: --keep NAME.',
  'rendezvous-busy': ({ server }: { server: string }) => `${server} takes no more meetings at the moment.`,
  'no-meeting-place': ({ why }: { why: string }) => `The place to meet at was not found: ${why.replace(/\.$/, '')}.`,
  'no-broker': ({ brokers }: { brokers: readonly string[] }) =>
    `No broker let this host in: ${brokers.join(', ')}. Where MQTT does not pass, both hosts can meet at a nat-tool serve (--server), or by hand (--manual).`,
  'no-rendezvous': ({ server }: { server: string }) =>
    `${server} is a STUN server, but no nat-tool serve: two hosts cannot meet there.`,
} as const satisfies Record<string, (parameters: never) => string>;
