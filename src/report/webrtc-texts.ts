/** What a check of WebRTC has to say, one or two plain sentences for each cause, with what helps. They stand in the terminal and on the page. */
const names = (servers: readonly string[]): string => servers.slice(0, 4).join(', ');

const percent = (odds: number): string =>
  odds < 0.01 ? 'under 1 %' : odds > 0.99 ? 'over 99 %' : `${Math.round(odds * 100)} %`;

export const WEBRTC_TEXTS = {
  'webrtc-no-browser': ({ url }: { url: string }) =>
    `Nobody opened the page. Open ${url} in a browser, and -w waits longer.`,
  'webrtc-no-peer': () =>
    'The other host did not come. Was it given the same code, and does it meet at the same place?',
  'webrtc-no-webrtc': ({ why }: { why: string }) =>
    `The browser has no WebRTC to use (${why}): an extension, a setting or a policy switches it off. Allow it for this page, or try another browser.`,
  'webrtc-no-candidates': () =>
    'The browser offers no way to reach it: a policy (WebRTC IP handling), an extension of a VPN, or a proxy that all must go through keeps WebRTC from using UDP. Switch that off for this page, or give a relay over TCP with --turn.',
  'webrtc-no-relay': () =>
    'Only relays are allowed (--relay-only), and none was named: --turn SERVER, with the login in NAT_TOOL_USERNAME and NAT_TOOL_PASSWORD.',
  'webrtc-relay-failed': ({ server, why }: { server: string; why: string }) =>
    `The relay ${server} does not help: ${why}. nat-tool turn ${server} tells more.`,
  'webrtc-browser-udp-blocked': ({ servers, relay }: { servers: readonly string[]; relay: boolean }) =>
    `UDP does not get out of the browser: ${names(servers)} answered the terminal, and told the browser nothing, and no check of its came in. Let UDP out of its network, ${relay ? 'or see why the relay does not help' : 'or give a relay over TCP or TLS: --turn'}.`,
  'webrtc-terminal-udp-blocked': ({ servers, relay }: { servers: readonly string[]; relay: boolean }) =>
    `UDP does not get out of the terminal's host: ${names(servers)} answered the browser, and not the terminal. Let UDP out of the terminal's network, ${relay ? 'or see why the relay does not help' : 'or give a relay over TCP or TLS: --turn'}.`,
  'webrtc-no-public-address': ({ servers }: { servers: readonly string[] }) =>
    `Neither side learnt its public address: ${names(servers)} answered neither the browser nor the terminal. Either the server is not there, or UDP is blocked on both sides. Name another with --stun, or a relay over TCP with --turn.`,
  'webrtc-local-addresses-hidden': ({ servers }: { servers: number }) =>
    `The browser shows names (mDNS) in the place of its local addresses, and what it sends does not reach the terminal: they are not on one network, or its clients are kept apart.${servers === 0 ? ' No STUN server was named that would tell the public address: --stun.' : ''} A firewall on the terminal's host may also drop what comes in.`,
  'webrtc-ports-must-be-guessed': ({ reason, odds }: { reason: string; odds: number }) =>
    `There is no direct way for a browser. ${reason} A browser guesses no ports; nat-tool connect, on both hosts, would come through with odds of ${percent(odds)}. A relay helps (--turn), or a router that maps endpoint-independently ("full cone", "NAT type open"), a forwarded port, or IPv6.`,
  'webrtc-no-path': ({ came, answered }: { came: number; answered: number }) =>
    came === 0 && answered === 0
      ? 'Both sides know how they are seen, and nothing of either comes through: a firewall between them drops UDP, or they share a NAT that does not send back inside what is for its own outside (no hairpinning). A relay helps: --turn.'
      : came > 0
        ? "The browser's checks come in, and our answers do not come back to it: something lets UDP through in one direction alone. A relay helps: --turn."
        : 'The browser answers, and its own checks do not come in: something lets UDP through in one direction alone. A relay helps: --turn.',
  'webrtc-dtls-blocked': ({ heard }: { heard: boolean }) =>
    heard
      ? 'The path works, but the DTLS handshake on it does not end: packets of one size or kind are lost. A firewall that looks into packets, or a tunnel with a small MTU, does so.'
      : 'The path works for STUN, but DTLS does not come through: a firewall that looks into packets lets STUN pass and drops the rest. A relay over TLS helps: --turn turns:…',
  'webrtc-dtls-failed': ({ why }: { why: string }) =>
    `The DTLS handshake failed: ${why}. Somebody on the way changes packets, or the two do not speak the same DTLS.`,
  'webrtc-fingerprint-wrong': () =>
    'Whoever answers on the path does not have the certificate that the other side promised: somebody stands between the two, or changed the description on its way. Nothing of it was believed.',
  'webrtc-sctp-stalled': () =>
    'DTLS stands, but SCTP inside it does not answer: larger packets are lost on the path (MTU, a tunnel), or the other side has stopped.',
  'webrtc-consent-lost': () =>
    'The path worked and then died: the other side has not answered for 30 s (RFC 7675). A NAT forgot the mapping, a network went away, or the computer slept.',
  'webrtc-browser-left': () => 'The page was closed or loaded anew before the check was over.',
  'webrtc-peer-left': () => 'The other host left before the check was over.',

  'webrtc-no-camera': ({ why }: { why: string }) => `There is no camera. The browser says: ${why}`,
  'webrtc-other-way-out': ({ browser, terminal }: { browser: string; terminal: string }) =>
    `The browser runs on the terminal's host, but leaves it by another way: servers see the browser at ${browser} and the terminal at ${terminal}. An extension of a VPN, or a policy, sends WebRTC elsewhere.`,
  'webrtc-hidden': ({ count }: { count: number }) =>
    `The browser hides ${count === 1 ? 'its local address' : `${count} local addresses`} behind mDNS names, as browsers do before a page may use the camera. That is no fault.`,
  'webrtc-relayed': ({ server }: { server: string }) =>
    `A relay carries the data: ${server}. There was no direct way, or none was allowed.`,
  'webrtc-loss': ({ up, down }: { up: number; down: number }) =>
    `Packets are lost: ${up} % on the way to the terminal, ${down} % on the way back.`,
  'webrtc-turn-unused': ({ server, why }: { server: string; why: string }) =>
    `The path needs no relay, but ${server} would give none: ${why}.`,
} as const;
