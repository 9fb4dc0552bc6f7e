/** What a check of a TURN server has to say, one plain sentence on what helps with each cause. */
const over = (transport: string): string => transport.toUpperCase();

export interface Of {
  readonly server: string;
  readonly transport: string;
}

export const TURN_TEXTS = {
  'turn-no-answer': ({ server, transport, detail }: Of & { detail: string }) =>
    `${server} did not answer over ${over(transport)} (${detail}): check its name and port, and that it runs.`,
  'turn-udp-blocked': ({ server }: Of) =>
    `${server} answers over TCP but not over UDP: UDP to its port is closed on the way, by a firewall here or there. Use turn:…?transport=tcp, or open the port.`,
  'turn-refused': ({ server, transport }: Of) => `${server} refused: nothing listens on that ${over(transport)} port.`,
  'turn-login-refused': ({
    server,
    username,
    code,
    expiresAt,
  }: Of & { username: string; code: number | null; expiresAt: string | null }) =>
    `${server} does not take the login of ${username}${code === null ? '' : ` (error ${code})`}: ${whyRefused(code, expiresAt)}.`,
  'turn-login-expired': ({ server, expiresAt }: Of & { expiresAt: string }) =>
    `${server} does not take the login: it was good until ${expiresAt}. Have a new one made, and see that the clocks agree.`,
  'turn-login-needed': ({ server }: Of) =>
    `${server} wants a login: set NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD, or NAT_TOOL_TURN_SECRET.`,
  'turn-relay-address-private': ({ server, relayed }: Of & { relayed: string }) =>
    `${server} relays from ${relayed}, where peers cannot reach it: it stands behind a NAT and does not know its public address (coturn: external-ip).`,
  'turn-relay-ports-closed': ({ server, relayed, elsewhere }: Of & { relayed: string; elsewhere: boolean }) =>
    elsewhere
      ? `${server} gives the relayed address ${relayed}, but what is sent there does not arrive: that is another address than the server's own. If it is not where the relay is (coturn: external-ip), correct it; else a firewall keeps its relay ports closed (UDP 49152-65535 by default).`
      : `${server} gives the relayed address ${relayed}, but what is sent there does not arrive: a firewall at the server keeps its relay ports closed (UDP 49152-65535 by default).`,
  'turn-relay-one-way': ({ server, mapped }: Of & { mapped: string }) =>
    `${server} takes in what peers send, but what it is to send to ${mapped} does not arrive: a firewall at the server keeps its relay ports from sending.`,
  'turn-peer-denied': ({
    server,
    peer,
    code,
    sameHost,
  }: Of & { peer: string | null; code: number | null; sameHost: boolean }) => {
    if (sameHost)
      return `${server} refuses ${peer ?? 'its own address'} as a peer, which is its own host: servers do so for good reason. Check it from another host.`;
    const by = code === null || code === 403 ? 'coturn: denied-peer-ip' : `error ${code}`;
    return peer === null
      ? `${server} refuses its own relayed addresses as peers (${by}): two users who are both relayed cannot meet there.`
      : `${server} refuses ${peer} as a peer (${by}): nobody at that address can be reached through it.`;
  },
  'turn-quota': ({ server }: Of) =>
    `${server} gives this user no further allocation (error 486): the quota is used up. Wait ten minutes for forgotten ones to end, or raise user-quota or total-quota.`,
  'turn-no-capacity': ({ server, code, detail }: Of & { code: number | null; detail: string }) =>
    code === 508
      ? `${server} has no relay to give (error 508): its relay ports are used up. Widen min-port to max-port.`
      : code === 440
        ? `${server} has no relay of this address family to give (error 440).`
        : `${server} gives no relay (${detail}).`,
  'turn-tls-certificate': ({ server, detail }: Of & { detail: string }) =>
    `The certificate of ${server} is not believed: ${detail.replace(/[\s.:]+$/, '')}. --cafile trusts another authority.`,
  'turn-not-turn': ({ server, detail, took }: Of & { detail: string; took: boolean }) =>
    took
      ? `${server} takes the login, but gives no relay that is one (${detail}).`
      : `${server} gives no relays (${detail}): it is no TURN server, or another port is.`,
  'turn-permission-lost': ({ server, detail }: Of & { detail: string }) =>
    `${server} kept the allocation but lost its permission: ${detail}.`,
  'turn-allocation-lost': ({ server, detail, refresh }: Of & { detail: string; refresh: string | null }) =>
    refresh === null
      ? `The allocation at ${server} is gone before its time (${detail}): the server was restarted, or the connection to it broke.`
      : `${server} does not refresh the allocation (${refresh}): whoever is relayed there is cut off when its lifetime ends.`,
  'turn-relays-apart': ({ server }: Of) =>
    `Data between two relays of ${server} does not arrive, though each works: the server cannot reach its own public address (no hairpinning, coturn#584), so two who are both relayed cannot meet.`,
  'turn-loss': ({ server, lost, sent }: Of & { lost: number; sent: number }) =>
    `${lost} of ${sent} datagrams through ${server} were lost.`,
  'turn-half-tested': ({ server, transport }: Of) =>
    `UDP does not get out of here, so only two relays of ${server} were tried with each other over ${over(transport)}, and no peer outside.`,
  'turn-second-refused': ({ server, code }: Of & { code: number }) =>
    `${server} gave no second allocation (error ${code}), so data between two relays was not tried.`,
} as const;

function whyRefused(code: number | null, expiresAt: string | null): string {
  switch (code) {
    case 403:
      return 'it forbids this user, or this host, to have a relay';
    case 438:
      return 'it wants a new nonce each time; several servers at one address that do not share theirs do so';
    default:
      if (expiresAt !== null)
        return `it was made with another secret than the server's, or the server takes no time-limited logins, or its clock is past ${expiresAt}`;
      return 'the user name or the password is wrong, or the server takes only time-limited logins (NAT_TOOL_TURN_SECRET)';
  }
}
