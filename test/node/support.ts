import { networkInterfaces } from 'node:os';

export const hasIpv6 = (): boolean =>
  Object.values(networkInterfaces()).some((infos) => infos?.some(({ address }) => address === '::1'));
