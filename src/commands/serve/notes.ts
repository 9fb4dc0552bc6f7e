/** What the help and the man page of `serve` say beside the options. */
import type { Command } from '../command.ts';

export const NOTES: NonNullable<Command['notes']> = [
  {
    title: 'Several addresses',
    paragraphs: [
      'Where no address is named, every address of the host has sockets of its own, so that an answer leaves from the address that was asked; clients rightly ignore any other. Every half minute serve looks for addresses that came or went. --address 0.0.0.0 or :: opens one socket for all of a family instead: then the system chooses where an answer leaves from.',
    ],
  },
  {
    title: 'Behind a 1:1 NAT',
    paragraphs: [
      'Hosts of AWS, GCP, Azure and others have private addresses, and a 1:1 NAT in front of them gives each a public one; at home a router forwards the ports. --advertise PUBLIC=LOCAL says which public address belongs to which private one; LOCAL may be left out where it goes without saying. With --stun SERVER it is found out at the start, from the very port that is served.',
      'Public clients are told the public addresses (OTHER-ADDRESS, RESPONSE-ORIGIN, and where connect asks next), never private ones; clients whose own address is private are told the private ones. Two private addresses with two public ones serve RFC 5780; two private ones that nobody knows outside serve it inside only.',
    ],
  },
  {
    title: 'Two hosts as one',
    paragraphs: [
      'RFC 5780 needs a second address. Two hosts with one each lend them to each other: --partner names the other one on both, and NAT_TOOL_PARTNER_SECRET holds the same secret, of 16 characters and more. What is to come from the other address leaves from that host. They talk over UDP on the STUN port, authenticated with that secret (HMAC-SHA-256, no replays); both serve the same two ports (--port, --alternate-port).',
      'A partner that has not answered for 3 s, or is more than a quarter of a second away, is no second address, and clients are told none. One that is behind a 1:1 NAT learns its public address from the other.',
    ],
  },
  {
    title: 'Relaying',
    paragraphs: [
      'With --turn it is a TURN server (RFC 8656) on the same ports, over UDP, TCP and, with --cert and --key, TLS. Users and passwords stand in a file (--users); a web application hands out logins that end by themselves (a user name EXPIRY:NAME, the password base64 of HMAC-SHA1(secret, user name), as for coturn), from a secret that it shares with --secrets or the variable NAT_TOOL_TURN_SECRET. Two secrets at once are right while one is being replaced. SIGHUP reads users, secrets and certificate again; sessions that run go on. NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD name one user more. Nothing secret is given on the command line.',
      'With --relay it relays for hosts that meet here by connect, with no user and no password: each is told a login of its own, and its relayed address carries data to the other member of its meeting alone. That is no open relay. Both options together do both.',
      'It relays UDP to public hosts alone, and to its own live relayed addresses; never to private, shared, loopback, link-local or reserved addresses (cloud metadata at 169.254.169.254 among them), whatever IPv6 form they come in, nor to ports below 1024 or other addresses of this host. --allow-peer opens a network.',
      'A user may have 10 relayed addresses at a time (--user-quota), all users 2000 (--total-quota), an address 256 permissions and 256 channels. --user-rate bounds what is relayed for a user; what is more is lost. Who has not logged in is sent at most three times what it sent, 20 times a second.',
    ],
  },
  {
    title: 'Ports and firewalls',
    paragraphs: [
      'Let in: UDP and TCP on --port (3478), UDP on the port after it, or on --alternate-port with two addresses; TCP on --tls-port (5349) with --cert; with --turn UDP on --relay-ports (49152-65535), from everywhere. Let out: UDP to everywhere. Behind a NAT forward the same ports, unchanged, and see --advertise. A firewall that keeps the relayed ports shut is the most common fault of TURN servers: everything seems to work until the first datagram of a peer.',
      'Answers leave from the ports that were asked; with two addresses all four pairs must come in. A partner needs no further port. A stateful firewall should not track these (a flood fills its table): in nftables "udp dport { 3478, 3479 } notrack" and the same for sport.',
    ],
  },
  {
    title: 'Operation',
    paragraphs: [
      '--metrics PORT answers GET /metrics in the text format of Prometheus (requests, answers, drops, rooms, meetings, the partner, relayed bytes, delay of the event loop, memory) and GET /healthz with 200, or 503 while it ends. It listens on 127.0.0.1 unless an address is named, for at most 16 connections, each for 5 s.',
      '--workers N answers Binding requests in N processes, on as many cores. The first of them has all the rest: meetings, TCP, relaying, metrics; what of that comes to another one is handed on, so that the server is one. On Linux with Node 22.12 or later each source comes to the same process; else the processes share the sockets. Each process counts the rate of a source for itself, so that one with many ports, or with shared sockets any, may have up to N times --rate; meetings and relaying keep their limits. A process that ends is started again. Not on Windows, nor with --partner.',
      'SIGTERM ends it gracefully: new meetings and new relays are refused as on a full server, those in progress have --drain seconds to end, and STUN is answered until then. A second signal ends it at once.',
    ],
  },
  {
    title: 'Limits',
    paragraphs: [
      'A source is an IPv4 address or an IPv6 /64. RESPONSE-PORT, which sends an answer to another port of the source, has a narrower limit of its own and is refused below port 1024. SOFTWARE is sent over UDP only where the request was at least as long as the answer.',
      'TCP: 16 connections of one source at a time, 128 of one IPv4 /24 or IPv6 /48, and 1000 in all; where these are taken, the one that has been idle longest, of whoever holds most, makes room for the next. One that brings no whole message for 30 s is closed. What a client does not read is dropped beyond 1 MiB; beyond 64 MiB for all together, whoever has most is cut off. TLS: 10 handshakes a second of one source, 100 at once.',
    ],
  },
];
