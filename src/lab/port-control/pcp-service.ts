/** PCP (RFC 6887) and NAT-PMP (RFC 6886) as a router answers them, with miniupnpd's manners where the standards leave a choice. */
import { type Endpoint, familyOf, sameEndpoint } from '../../net/address.ts';
import { sameBytes } from '../../net/bytes.ts';
import { type Env, ignoreNetError } from '../../net/env.ts';
import {
  decodeNatPmpRequest,
  encodeNatPmpResponse,
  NAT_PMP_RESULTS,
  type NatPmpRequest,
} from '../../portmap/nat-pmp.ts';
import {
  decodePcpRequest,
  encodePcpResponse,
  PCP_OPCODES,
  PCP_RESULTS,
  type PcpRequest,
  PORT_CONTROL_PORT,
} from '../../portmap/pcp.ts';
import type { NatParts } from '../nat-parts.ts';
import { type Decision, decide, hasInternet, type PortControlled } from './ledger.ts';

const PCP_REFUSALS: Readonly<Record<Exclude<Decision['kind'], 'granted'>, number>> = {
  'not-authorized': PCP_RESULTS.NOT_AUTHORIZED,
  'no-resources': PCP_RESULTS.NO_RESOURCES,
  'second-nat': PCP_RESULTS.NO_RESOURCES,
  taken: PCP_RESULTS.CANNOT_PROVIDE_EXTERNAL,
};
const NAT_PMP_REFUSALS: typeof PCP_REFUSALS = {
  'not-authorized': NAT_PMP_RESULTS.NOT_AUTHORIZED,
  'no-resources': NAT_PMP_RESULTS.OUT_OF_RESOURCES,
  'second-nat': NAT_PMP_RESULTS.NETWORK_FAILURE,
  taken: NAT_PMP_RESULTS.OUT_OF_RESOURCES,
};
/** How long an error lasts, seconds. */
const ERROR_S = 30;

export async function startPcpService(
  env: Env,
  address: string,
  router: PortControlled,
  { pcp, natPmp }: NatParts['portControl'],
): Promise<void> {
  const socket = await env.udp.open({ family: familyOf(address), address, port: PORT_CONTROL_PORT });
  const now = (): number => env.clock.now();
  const epoch = (): number => Math.floor((now() - router.startedAt) / 1000);

  const answerPcp = (request: PcpRequest, from: Endpoint): Uint8Array => {
    const { opcode, map, lifetimeS } = request;
    const say = (result: number, more: Partial<Parameters<typeof encodePcpResponse>[0]> = {}): Uint8Array =>
      encodePcpResponse({ opcode, result, lifetimeS: result === 0 ? 0 : ERROR_S, epoch: epoch(), map, ...more });
    if (pcp === undefined)
      return encodePcpResponse({ opcode, result: PCP_RESULTS.UNSUPP_VERSION, lifetimeS: 0, epoch: epoch() });
    if (request.client !== from.address) return say(PCP_RESULTS.ADDRESS_MISMATCH);
    if (opcode === PCP_OPCODES.announce) return say(PCP_RESULTS.SUCCESS);
    if (opcode !== PCP_OPCODES.map || !map) return say(PCP_RESULTS.UNSUPP_OPCODE);
    const { transport, nonce } = map;
    const inside = { address: from.address, port: map.internalPort };
    const own = router.forwards.of(transport, inside, now());
    if (own?.nonce && !sameBytes(own.nonce, nonce)) return say(PCP_RESULTS.NOT_AUTHORIZED);
    if (lifetimeS === 0) {
      if (own) router.forwards.remove(own);
      return say(PCP_RESULTS.SUCCESS);
    }
    const ask = { transport, from: inside, externalPort: map.externalPort, lifetimeS, description: 'PCP', nonce };
    const decision = decide(router, pcp, ask, { now: now(), exact: false });
    if (decision.kind === 'granted') {
      const { address: externalAddress, port: externalPort } = decision.public;
      return say(0, { lifetimeS: decision.lifetimeS, map: { ...map, externalAddress, externalPort } });
    }
    // miniupnpd names its own outside address.
    const wan = decision.kind === 'second-nat' ? router.outsideOf(from.address) : undefined;
    return say(PCP_REFUSALS[decision.kind], wan === undefined ? {} : { map: { ...map, externalAddress: wan } });
  };

  const answerNatPmp = ({ map }: NatPmpRequest, from: Endpoint): Uint8Array => {
    const head = { to: map?.transport ?? ('address' as const), epoch: epoch() };
    if (natPmp === undefined) return encodeNatPmpResponse({ ...head, result: NAT_PMP_RESULTS.UNSUPPORTED_VERSION });
    const outside = router.outsideOf(from.address);
    if (!map) {
      if (natPmp === 'refuse') return encodeNatPmpResponse({ ...head, result: NAT_PMP_RESULTS.NOT_AUTHORIZED });
      const known = outside !== undefined && (hasInternet(outside) || natPmp === 'naive');
      return known
        ? encodeNatPmpResponse({ ...head, result: 0, address: outside })
        : encodeNatPmpResponse({ ...head, result: NAT_PMP_RESULTS.NETWORK_FAILURE });
    }
    const inside = { address: from.address, port: map.internalPort };
    if (map.lifetimeS === 0) {
      for (const each of router.forwards.all(now()))
        if (
          each.transport === map.transport &&
          (map.internalPort === 0 ? each.private.address === inside.address : sameEndpoint(each.private, inside))
        )
          router.forwards.remove(each);
      return encodeNatPmpResponse({ ...head, result: 0, map: { ...map, externalPort: 0 } });
    }
    const decision = decide(
      router,
      natPmp,
      { ...map, from: inside, description: 'NAT-PMP' },
      { now: now(), exact: false },
    );
    if (decision.kind !== 'granted') return encodeNatPmpResponse({ ...head, result: NAT_PMP_REFUSALS[decision.kind] });
    const { lifetimeS } = decision;
    return encodeNatPmpResponse({ ...head, result: 0, map: { ...map, externalPort: decision.public.port, lifetimeS } });
  };

  socket.listen({
    datagram: ({ data, from }) => {
      const asked = decodePcpRequest(data);
      const older = asked ? undefined : decodeNatPmpRequest(data);
      // What knows the older protocol alone answers in it (RFC 6887 Appendix A).
      const answer =
        asked && !(pcp === undefined && natPmp !== undefined)
          ? answerPcp(asked, from)
          : asked
            ? Uint8Array.of(0, 0x80, 0, NAT_PMP_RESULTS.UNSUPPORTED_VERSION, 0, 0, 0, 0)
            : older && natPmp === undefined
              ? encodePcpResponse({ opcode: 0, result: PCP_RESULTS.UNSUPP_VERSION, lifetimeS: 0, epoch: epoch() })
              : older && answerNatPmp(older, from);
      if (answer) socket.send(answer, from).catch(ignoreNetError);
    },
  });
}
