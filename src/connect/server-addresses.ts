/** Which addresses of a server are asked: one of each family that this host has. */
import { type Endpoint, type Family, familyOf, sameEndpoint } from '../net/address.ts';
import { type Env, NetError } from '../net/env.ts';
import { routedAddress } from '../net/route.ts';

export interface Asked {
  /** By the main socket. IPv4 where there is a way: that is where NATs are. */
  readonly server: Endpoint;
  /** In the other family, where both have it. */
  readonly beside: Endpoint | undefined;
  /** The other ones, in their order. */
  readonly others: readonly Endpoint[];
}

/** Nothing is sent. Rejects with the signal's reason only; where no way leads anywhere, the first is as good as any. */
export async function askedOf(
  { udp }: Pick<Env, 'udp'>,
  endpoints: readonly [Endpoint, ...Endpoint[]],
  source: string | undefined,
  signal: AbortSignal,
): Promise<Asked> {
  const first = (family: Family): Endpoint | undefined => endpoints.find(({ address }) => familyOf(address) === family);
  const hasWay = async (to: Endpoint | undefined): Promise<boolean> => {
    // An address of ours of the other family leads nowhere.
    if (!to || (source !== undefined && familyOf(source) !== familyOf(to.address))) return false;
    try {
      await routedAddress(udp, to, source, signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof NetError) return false;
      throw error;
    }
  };
  const [four, six] = [first(4), first(6)];
  const [by4, by6] = await Promise.all([hasWay(four), hasWay(six)]);
  const server = (by4 ? four : by6 ? six : undefined) ?? endpoints[0];
  const beside = by4 && by6 ? six : undefined;
  const others = endpoints.filter((each) => !sameEndpoint(each, server) && !(beside && sameEndpoint(each, beside)));
  return { server, beside, others };
}
