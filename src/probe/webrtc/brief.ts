/** A description of ours in a few hundred bytes, for meeting places that pass on no more: what both sides know anyway is left out. Pure. */
import type { Candidate, CandidateType } from '../../ice/candidate.ts';
import { isPwd, isUfrag } from '../../ice/credentials.ts';
import { canonicalAddress } from '../../net/address.ts';
import { formatDescription, parseDescription, type Setup } from '../../webrtc/sdp.ts';

/** What fits beside the rest, at 60 bytes each. */
const MOST_CANDIDATES = 10;
const TYPES: readonly CandidateType[] = ['host', 'srflx', 'prflx', 'relay'];
const SETUPS: readonly Setup[] = ['actpass', 'active', 'passive'];

/** Of an SDP that {@link formatDescription} wrote. */
export function briefOf(sdp: string): Uint8Array {
  const { ice, fingerprints, setup } = parseDescription(sdp);
  const [fingerprint] = fingerprints;
  const brief = [
    SETUPS.indexOf(setup),
    ice.ufrag,
    ice.pwd,
    Buffer.from((fingerprint?.value ?? '').replaceAll(':', ''), 'hex').toString('base64'),
    ...ice.candidates
      .slice(0, MOST_CANDIDATES)
      .map(
        ({ type, priority, endpoint: { address, port } }) => `${TYPES.indexOf(type)} ${priority} ${address} ${port}`,
      ),
  ];
  return new TextEncoder().encode(brief.join('\n'));
}

/** The SDP; undefined for what is no brief. Its certificate is by SHA-256. */
export function sdpOf(brief: Uint8Array): string | undefined {
  const [setupText = '', ufrag = '', pwd = '', hash = '', ...lines] = new TextDecoder().decode(brief).split('\n');
  const setup = SETUPS[Number(setupText)];
  const digest = Buffer.from(hash, 'base64');
  if (setup === undefined || digest.length !== 32 || !isUfrag(ufrag) || !isPwd(pwd)) return undefined;
  const value = (digest.toString('hex').toUpperCase().match(/../g) ?? []).join(':');
  const ice = { ufrag, pwd, candidates: lines.slice(0, MOST_CANDIDATES).flatMap(candidateIn), end: false };
  const description = {
    ice,
    fingerprints: [{ hash: 'sha-256' as const, value }],
    setup,
    mid: '0',
    port: 5000,
    maxMessage: 262_144,
  };
  return formatDescription(description, 1);
}

function candidateIn(line: string, i: number): Candidate[] {
  const [, type, priority, host = '', port] = /^([0-3]) (\d{1,10}) (\S{1,64}) (\d{1,5})$/.exec(line) ?? [];
  const address = canonicalAddress(host);
  const rank = Number(priority);
  if (address === undefined || !(rank >= 1 && rank < 2 ** 31) || !(Number(port) <= 0xffff)) return [];
  return [
    {
      foundation: String(i + 1),
      component: 1,
      transport: 'udp',
      priority: rank,
      endpoint: { address, port: Number(port) },
      type: TYPES[Number(type)] as CandidateType,
    },
  ];
}
